//! Frames made by hand: protobuf, signed bytes and signatures from the schema and the design, without the crate, so
//! that a mistake in the crate is not repeated here.

use ed25519_dalek::{Signer as _, SigningKey};

/// A field with a number: varint (wire type 0).
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field with bytes, a text or a message: length and content (wire type 2).
pub(crate) fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Purpose {
    pub(crate) label: &'static str,
    pub(crate) audience: [u8; 32],
    pub(crate) method: &'static str,
}

impl Purpose {
    /// Label (NUL-terminated), audience (32 bytes), method (u16 length, bytes), body (u32 length, bytes).
    pub(crate) fn signed(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(self.label.as_bytes());
        out.push(0);
        out.extend_from_slice(&self.audience);
        out.extend_from_slice(&u16::try_from(self.method.len()).unwrap().to_be_bytes());
        out.extend_from_slice(self.method.as_bytes());
        out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
        out.extend_from_slice(body);
        out
    }

    pub(crate) fn sign(&self, seed: u8, body: &[u8]) -> [u8; 64] {
        sign(seed, &self.signed(body))
    }
}

/// The signature over exactly these bytes by the key of the seed `seed…seed`.
pub(crate) fn sign(seed: u8, message: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(&[seed; 32]).sign(message).to_bytes()
}

/// A section of a golden file: hexadecimal digits, cut into lines at will, `#` and what follows it left out.
#[track_caller]
pub(crate) fn section(text: &str, name: &str) -> Vec<u8> {
    let header = format!("[{name}]");
    let lines = text.lines().skip_while(|line| *line != header).skip(1);
    let digits: String = lines
        .take_while(|line| !line.starts_with('['))
        .flat_map(|line| line.split('#').next())
        .flat_map(str::split_whitespace)
        .collect();
    assert!(!digits.is_empty(), "no section {header}");
    hex::decode(digits).unwrap()
}
