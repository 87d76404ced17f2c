using System;
using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

// Written for the compiler of .NET Framework, which knows C# 5 and nothing later.
#pragma warning disable

// What a TLS handshake asks about the server's key. It is compiled, since the handshake asks on threads that have no
// PowerShell; it fits the callbacks of HttpWebRequest and of HttpClientHandler.
public sealed class VigoKeyCheck
{
    private readonly string pin;
    private volatile string found;

    public VigoKeyCheck(string pin)
    {
        this.pin = pin;
    }

    // The pin of the key that the last server showed; null: nothing asked.
    public string Found
    {
        get { return found; }
    }

    // Whether servers were asked for their key and the last one showed the right one.
    public bool Passed
    {
        get { return string.Equals(found, pin, StringComparison.Ordinal); }
    }

    public bool Check(object sender, X509Certificate certificate, X509Chain chain, SslPolicyErrors errors)
    {
        found = "no certificate that can be read";
        try
        {
            found = PinOf(certificate.GetRawCertData());
        }
        catch (Exception)
        {
            // An exception from here would say less than the refusal does.
            return false;
        }
        return Passed;
    }

    // `sha256:` and the SHA-256 of the SubjectPublicKeyInfo (RFC 5280, 4.1) in hexadecimal.
    public static string PinOf(byte[] der)
    {
        int start, end;
        Enter(der, 0, der.Length, 0x30, out start, out end);
        if (end != der.Length) throw new FormatException("bytes after the certificate");
        Enter(der, start, end, 0x30, out start, out end);
        int at = start;
        // version, there but for the oldest certificates
        if (at < end && der[at] == 0xA0) at = Skip(der, at, end, 0xA0);
        at = Skip(der, at, end, 0x02); // serialNumber
        at = Skip(der, at, end, 0x30); // signature
        at = Skip(der, at, end, 0x30); // issuer
        at = Skip(der, at, end, 0x30); // validity
        at = Skip(der, at, end, 0x30); // subject
        int next = Skip(der, at, end, 0x30); // subjectPublicKeyInfo
        StringBuilder text = new StringBuilder("sha256:");
        using (SHA256 hash = SHA256.Create())
        {
            foreach (byte one in hash.ComputeHash(der, at, next - at))
            {
                text.Append(one.ToString("x2", CultureInfo.InvariantCulture));
            }
        }
        return text.ToString();
    }

    private static int Skip(byte[] der, int at, int limit, int tag)
    {
        int start, end;
        Enter(der, at, limit, tag, out start, out end);
        return end;
    }

    // The content of the value at `at`, which must have this tag and end within `limit`.
    private static void Enter(byte[] der, int at, int limit, int tag, out int start, out int end)
    {
        if (limit - at < 2 || der[at] != tag) throw new FormatException("not a certificate");
        int length = der[at + 1];
        start = at + 2;
        if (length >= 0x80)
        {
            int count = length - 0x80;
            if (count < 1 || count > 3 || limit - start < count) throw new FormatException("not a certificate");
            length = 0;
            for (int i = 0; i < count; i++) length = length * 256 + der[start + i];
            start += count;
        }
        if (length > limit - start) throw new FormatException("not a certificate");
        end = start + length;
    }

    // One text that a program on Windows takes apart into these arguments again.
    public static string CommandLine(string[] arguments)
    {
        StringBuilder line = new StringBuilder();
        foreach (string argument in arguments)
        {
            if (line.Length > 0) line.Append(' ');
            line.Append('"');
            int slashes = 0;
            foreach (char c in argument)
            {
                if (c == '\\')
                {
                    slashes++;
                    continue;
                }
                // Backslashes count for themselves, but before a quote.
                line.Append('\\', c == '"' ? slashes * 2 + 1 : slashes).Append(c);
                slashes = 0;
            }
            line.Append('\\', slashes * 2).Append('"');
        }
        return line.ToString();
    }
}
