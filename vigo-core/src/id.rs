use std::fmt;
use std::str::FromStr;

/// A text or byte string is no identifier of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {kind}: {expected} expected")]
pub struct IdError {
    kind: &'static str,
    expected: &'static str,
}

/// An envoy's id: a random UUID (RFC 9562 §5.4) that the server draws.
///
/// ```
/// use vigo_core::EnvoyId;
/// let id = EnvoyId::from_random([7; 16]);
/// assert_eq!(id.to_string(), "07070707-0707-4707-8707-070707070707");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvoyId(uuid::Uuid);

impl EnvoyId {
    const ERROR: IdError = IdError { kind: "an envoy id", expected: "a version 4 UUID" };

    /// The id made of 16 random bytes; six bits of them are set to say that it is a UUID of version 4.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for EnvoyId {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        let id = uuid::Uuid::from_slice(bytes).map_err(|_| Self::ERROR)?;
        if id.get_version_num() == 4 { Ok(Self(id)) } else { Err(Self::ERROR) }
    }
}

impl FromStr for EnvoyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = uuid::Uuid::try_parse(text).map_err(|_| Self::ERROR)?;
        Self::try_from(id.as_bytes().as_slice())
    }
}

impl fmt::Display for EnvoyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Identifiers of 16 random bytes, written as 32 hexadecimal digits.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The identifier made of these random bytes.
            #[must_use]
            pub const fn from_random(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError { kind: $kind, expected: "16 bytes" })
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| IdError { kind: $kind, expected: "32 hexadecimal digits" })?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
    };
}

random_id!(
    /// A fleet's id, made with its CA and kept in its store; all servers of the fleet share it.
    ServerId, "a server id"
);
random_id!(
    /// What an agent draws before it first asks to join, so that asking again finds the same answer.
    RequestId, "a request id"
);
random_id!(
    /// What a server process draws when it starts. Check-in sequences count within it.
    Epoch, "an epoch"
);
random_id!(
    /// The public part of a token.
    TokenId, "a token id"
);
random_id!(
    /// The id of a directive.
    DirectiveId, "a directive id"
);
random_id!(
    /// The id of an approved pattern.
    ApprovalId, "an approval id"
);

/// A certificate's serial number: 127 random bits (RFC 5280 §4.1.2.2 asks for a positive integer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    /// The serial made of random bytes. The top bit is cleared (positive) and the next one set (never short, never zero).
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Self(bytes)
    }

    /// The 16 bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Serial {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) if bytes[0] & 0xc0 == 0x40 => Ok(Self(bytes)),
            _ => Err(IdError { kind: "a serial", expected: "16 bytes that start with the bits 01" }),
        }
    }
}

impl FromStr for Serial {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = hex::decode(text).unwrap_or_default();
        Self::try_from(bytes.as_slice())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The place of a frame within an epoch; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// The first of an epoch.
    pub const FIRST: Self = Self(1);

    /// The sequence of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after this; stays where it is at the end of `u64`.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_round_trip(bytes: [u8; 16]) {
            let (envoy, server, serial) = (EnvoyId::from_random(bytes), ServerId::from_random(bytes), Serial::from_random(bytes));
            prop_assert_eq!(envoy.to_string().parse(), Ok(envoy));
            prop_assert_eq!(EnvoyId::try_from(envoy.as_bytes().as_slice()), Ok(envoy));
            prop_assert_eq!(server.to_string().parse(), Ok(server));
            prop_assert_eq!(serial.to_string().parse(), Ok(serial));
        }

        #[test]
        fn other_text_is_refused(text in ".{0,40}") {
            prop_assert!(text.parse::<ServerId>().is_err() || text.len() == 32);
            prop_assert!(text.parse::<Serial>().is_err() || text.len() == 32);
        }
    }

    #[test]
    fn only_random_uuids_are_envoys() {
        assert!("00000000-0000-0000-0000-000000000000".parse::<EnvoyId>().is_err());
        assert!("0190163d-8694-739b-aea5-966c26f8ad91".parse::<EnvoyId>().is_err());
        assert!(EnvoyId::try_from(&[0u8; 15][..]).is_err());
    }
}
