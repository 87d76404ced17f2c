//! Signed frames: what exactly a signature covers.

use sha2::{Digest, Sha256};

use crate::{Pin, ServerId};

/// What a frame is for. Its label is the first thing signed, so that no signature means anything in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Register,
    Proof,
    CheckIn,
    Reply,
    Bundle,
}

impl Label {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Register => b"vigo/register/v1\0",
            Self::Proof => b"vigo/proof/v1\0",
            Self::CheckIn => b"vigo/checkin/v1\0",
            Self::Reply => b"vigo/reply/v1\0",
            Self::Bundle => b"vigo/bundle/v1\0",
        }
    }

    const fn method(self) -> &'static [u8] {
        match self {
            Self::Register | Self::Proof => b"Register",
            Self::CheckIn | Self::Reply => b"CheckIn",
            Self::Bundle => b"Bundle",
        }
    }

    /// The most bytes that a body may have.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Register | Self::Proof => MAX_REGISTER,
            Self::CheckIn => MAX_CHECK_IN,
            Self::Reply => MAX_REPLY,
            Self::Bundle => MAX_BUNDLE,
        }
    }
}

/// The most bytes of a registration's body.
pub const MAX_REGISTER: usize = 64 * 1024;
/// The most bytes of a check-in's body.
pub const MAX_CHECK_IN: usize = 1024 * 1024;
/// The most bytes of a policy bundle's body.
pub const MAX_BUNDLE: usize = 4 * 1024 * 1024;
/// The most bytes of a reply's body: a bundle and a little more.
pub const MAX_REPLY: usize = MAX_BUNDLE + 64 * 1024;

/// Whom a frame is meant for: a frame captured by one server is worth nothing to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Audience([u8; 32]);

impl Audience {
    /// A fleet whose id the sender knows.
    #[must_use]
    pub fn server(id: &ServerId) -> Self {
        Self(Sha256::digest(id.as_bytes()).into())
    }

    /// A fleet known by its root alone, as at registration: the pin of the root that the sender verified.
    #[must_use]
    pub const fn root(pin: &Pin) -> Self {
        Self(*pin.as_bytes())
    }
}

/// Why a frame is not accepted. The text may be shown to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The body has more bytes than its kind may have.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The most that it may have.
        limit: usize,
    },
    /// The bytes are no message of this kind, or a field of it cannot be.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The signature is not the key's over these bytes, for this purpose and audience.
    #[error("the signature does not fit")]
    BadSignature,
    /// A form of proof or message that this version does not know.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A reply to another request, or for another envoy.
    #[error("the reply answers another request")]
    OtherRequest,
}

/// The bytes that are signed: label (NUL-terminated), audience (32 bytes), method (u16 length, bytes), body (u32 length,
/// bytes). Lengths are big-endian.
pub(crate) fn signed_bytes(label: Label, audience: Audience, body: &[u8]) -> Result<Vec<u8>, FrameError> {
    let limit = label.limit();
    let length =
        u32::try_from(body.len()).ok().filter(|_| body.len() <= limit).ok_or(FrameError::TooLarge { limit })?;
    let (name, method) = (label.bytes(), label.method());
    let mut bytes = Vec::with_capacity(name.len() + 32 + 2 + method.len() + 4 + body.len());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&audience.0);
    bytes.extend_from_slice(&(method.len() as u16).to_be_bytes());
    bytes.extend_from_slice(method);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// Parses a body, after its signature was verified or where the key to verify with is in it.
pub(crate) fn parse<M: prost::Message + Default>(body: &[u8], label: Label) -> Result<M, FrameError> {
    let limit = label.limit();
    if body.len() > limit {
        return Err(FrameError::TooLarge { limit });
    }
    M::decode(body).map_err(|_| FrameError::Malformed("not the message that this method takes"))
}
