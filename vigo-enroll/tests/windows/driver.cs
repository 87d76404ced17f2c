// Asks the class that the script compiles, outside of PowerShell. The class is called KEY_CHECK here.
using System;
using System.IO;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

public static class Driver
{
    public static int Main(string[] arguments)
    {
        switch (arguments[0])
        {
            case "pin":
                for (int i = 1; i < arguments.Length; i++)
                {
                    Console.WriteLine(KEY_CHECK.PinOf(File.ReadAllBytes(arguments[i])));
                }
                return 0;
            case "damage":
                return Damage(File.ReadAllBytes(arguments[1]));
            case "line":
                string[] rest = new string[arguments.Length - 1];
                Array.Copy(arguments, 1, rest, 0, rest.Length);
                Console.WriteLine(KEY_CHECK.CommandLine(rest));
                return 0;
            case "fetch":
                return Fetch(arguments[1], arguments[2]);
            case "signed":
                byte[] key = File.ReadAllBytes(arguments[1]);
                byte[] signature = File.ReadAllBytes(arguments[3]);
                bool signed = KEY_CHECK.HasSigned(key, File.ReadAllBytes(arguments[2]), signature);
                Console.WriteLine(signed + " " + KEY_CHECK.PinOfSigningKey(key));
                return 0;
            case "bind":
                return Bind(arguments[1], File.ReadAllBytes(arguments[2]));
            default:
                return 2;
        }
    }

    // No prefix is a certificate; a changed byte gives a pin or the one exception, and nothing else.
    private static int Damage(byte[] der)
    {
        for (int length = 0; length < der.Length; length++)
        {
            byte[] prefix = new byte[length];
            Array.Copy(der, prefix, length);
            if (PinOrNothing(prefix) != null)
            {
                Console.WriteLine("a pin from the first " + length + " bytes");
                return 1;
            }
        }
        foreach (int change in new int[] { 1, 0x7f, 0x80, 0xff })
        {
            for (int at = 0; at < der.Length; at++)
            {
                byte[] changed = (byte[])der.Clone();
                changed[at] ^= (byte)change;
                PinOrNothing(changed);
            }
        }
        Console.WriteLine("held");
        return 0;
    }

    private static string PinOrNothing(byte[] der)
    {
        try
        {
            return KEY_CHECK.PinOf(der);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    // As the script does it in Windows PowerShell, after a line that told the session to accept everything.
    private static int Fetch(string url, string pin)
    {
        ServicePointManager.ServerCertificateValidationCallback = delegate { return true; };
        ServicePointManager.ServerCertificateValidationCallback = null;
        ServicePointManager.SecurityProtocol = SecurityProtocolType.Tls12;
        KEY_CHECK check = new KEY_CHECK(pin);
        HttpWebRequest request = (HttpWebRequest)WebRequest.Create(new Uri(url));
        request.AllowAutoRedirect = false;
        request.ConnectionGroupName = Guid.NewGuid().ToString();
        request.KeepAlive = false;
        request.Timeout = 10000;
        request.ServerCertificateValidationCallback = (RemoteCertificateValidationCallback)Delegate.CreateDelegate(
            typeof(RemoteCertificateValidationCallback), check, check.GetType().GetMethod("Check"));
        try
        {
            using (WebResponse response = request.GetResponse())
            {
                Console.WriteLine("answered passed=" + check.Passed + " found=" + check.Found);
            }
        }
        catch (WebException error)
        {
            Console.WriteLine("refused passed=" + check.Passed + " found=" + check.Found + " " + error.Status);
        }
        return 0;
    }

    // The shape of HttpClientHandler's callback, whose first two types are narrower than the method's.
    private static int Bind(string pin, byte[] der)
    {
        KEY_CHECK check = new KEY_CHECK(pin);
        Type kind = typeof(Func<string, X509Certificate2, X509Chain, SslPolicyErrors, bool>);
        Func<string, X509Certificate2, X509Chain, SslPolicyErrors, bool> ask =
            (Func<string, X509Certificate2, X509Chain, SslPolicyErrors, bool>)Delegate.CreateDelegate(
                kind, check, check.GetType().GetMethod("Check"));
        SslPolicyErrors errors = SslPolicyErrors.RemoteCertificateChainErrors;
        Console.WriteLine("asked=" + (check.Found != null) + " passed=" + check.Passed);
        Console.WriteLine(ask("", new X509Certificate2(der), null, errors) + " " + check.Found);
        Console.WriteLine(ask("", null, null, errors) + " " + check.Found);
        return 0;
    }
}
