use zeroize::Zeroizing;

/// 16 random bytes of the system's cryptographic source: for an id or a serial.
#[must_use]
pub fn id() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes[..]);
    bytes
}

/// 32 random bytes, wiped when dropped: for a key.
#[must_use]
pub fn seed() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut bytes[..]);
    bytes
}
