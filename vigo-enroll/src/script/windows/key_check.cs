using System;
using System.Globalization;
using System.Net.Security;
using System.Numerics;
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
        return Pin(der, at, next - at);
    }

    private static string Pin(byte[] spki, int start, int count)
    {
        StringBuilder text = new StringBuilder("sha256:");
        using (SHA256 hash = SHA256.Create())
        {
            foreach (byte one in hash.ComputeHash(spki, start, count))
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

    // The pin of an Ed25519 key: of its SubjectPublicKeyInfo (RFC 8410).
    public static string PinOfSigningKey(byte[] key)
    {
        byte[] spki = new byte[44];
        new byte[] { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 }.CopyTo(spki, 0);
        key.CopyTo(spki, 12);
        return Pin(spki, 0, spki.Length);
    }

    // Ed25519 (RFC 8032, 5.1), which .NET does not have. Nothing here is secret, so that time may tell what it likes.
    private static readonly BigInteger Prime = BigInteger.Pow(2, 255) - 19;
    private static readonly BigInteger Order =
        BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);
    private static readonly BigInteger D = Mod(-121665 * Inverse(121666));

    // Whether this key signed the text: the equation without the cofactor, and one encoding for each value.
    public static bool HasSigned(byte[] key, byte[] text, byte[] signature)
    {
        if (key.Length != 32 || signature.Length != 64) return false;
        BigInteger[] a = Decode(key);
        byte[] half = new byte[32];
        Array.Copy(signature, 32, half, 0, 32);
        BigInteger s = Number(half);
        if (a == null || s >= Order) return false;
        byte[] hashed = new byte[64 + text.Length];
        Array.Copy(signature, 0, hashed, 0, 32);
        key.CopyTo(hashed, 32);
        text.CopyTo(hashed, 64);
        BigInteger h;
        using (SHA512 hash = SHA512.Create()) h = Number(hash.ComputeHash(hashed)) % Order;
        BigInteger y = Mod(4 * Inverse(5));
        BigInteger[] generator = Point(Root(y, false), y);
        BigInteger[] minus = new BigInteger[] { Mod(-a[0]), a[1], a[2], Mod(-a[3]) };
        byte[] r = Encode(Add(Multiply(s, generator), Multiply(h, minus)));
        for (int i = 0; i < 32; i++)
        {
            if (r[i] != signature[i]) return false;
        }
        return true;
    }

    private static BigInteger Mod(BigInteger value)
    {
        BigInteger rest = value % Prime;
        return rest.Sign < 0 ? rest + Prime : rest;
    }

    private static BigInteger Inverse(BigInteger value)
    {
        return BigInteger.ModPow(Mod(value), Prime - 2, Prime);
    }

    // Little-endian.
    private static BigInteger Number(byte[] bytes)
    {
        byte[] positive = new byte[bytes.Length + 1];
        bytes.CopyTo(positive, 0);
        return new BigInteger(positive);
    }

    private static BigInteger[] Point(BigInteger x, BigInteger y)
    {
        return new BigInteger[] { x, y, BigInteger.One, Mod(x * y) };
    }

    // The x of this y, of this parity; -1 where there is none.
    private static BigInteger Root(BigInteger y, bool odd)
    {
        BigInteger square = Mod((y * y - 1) * Inverse(D * y * y + 1));
        BigInteger x = BigInteger.ModPow(square, (Prime + 3) / 8, Prime);
        if (Mod(x * x - square) != 0) x = Mod(x * BigInteger.ModPow(2, (Prime - 1) / 4, Prime));
        if (Mod(x * x - square) != 0 || (x.IsZero && odd)) return BigInteger.MinusOne;
        return x.IsEven == odd ? Mod(-x) : x;
    }

    private static BigInteger[] Decode(byte[] bytes)
    {
        byte[] copy = (byte[])bytes.Clone();
        copy[31] &= 0x7f;
        BigInteger y = Number(copy);
        if (y >= Prime) return null;
        BigInteger x = Root(y, (bytes[31] & 0x80) != 0);
        return x.Sign < 0 ? null : Point(x, y);
    }

    private static byte[] Encode(BigInteger[] point)
    {
        BigInteger z = Inverse(point[2]);
        BigInteger x = Mod(point[0] * z);
        byte[] bytes = new byte[32];
        byte[] y = Mod(point[1] * z).ToByteArray();
        Array.Copy(y, bytes, Math.Min(y.Length, 32));
        if (!x.IsEven) bytes[31] |= 0x80;
        return bytes;
    }

    // Of any two points, equal ones too.
    private static BigInteger[] Add(BigInteger[] p, BigInteger[] q)
    {
        BigInteger a = Mod((p[1] - p[0]) * (q[1] - q[0]));
        BigInteger b = Mod((p[1] + p[0]) * (q[1] + q[0]));
        BigInteger c = Mod(2 * D * Mod(p[3] * q[3]));
        BigInteger d = Mod(2 * p[2] * q[2]);
        BigInteger e = b - a, f = d - c, g = d + c, h = b + a;
        return new BigInteger[] { Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h) };
    }

    private static BigInteger[] Multiply(BigInteger times, BigInteger[] point)
    {
        BigInteger[] sum = Point(BigInteger.Zero, BigInteger.One);
        for (; times.Sign > 0; times >>= 1)
        {
            if (!times.IsEven) sum = Add(sum, point);
            point = Add(point, point);
        }
        return sum;
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
