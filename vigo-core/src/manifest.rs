//! What is signed about a build of the agent. Not a frame: a text of fixed lines, so that `openssl` verifies it and a
//! shell reads it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::key::{AgentSigningKey, AgentSigningSecret, Signature};
use crate::{AgentTarget, FrameError, UnixTime};

/// The first line: no other thing that Vigo signs begins so.
const LABEL: &str = "vigo/agent/v1";
/// What the only product is called.
const PRODUCT: &str = "vigo";

/// The version of an agent, as Semantic Versioning orders them.
///
/// ```
/// use vigo_core::AgentVersion;
/// let version: AgentVersion = "0.10.0".parse()?;
/// assert!(version > "0.9.9".parse()? && version > "0.10.0-rc.1".parse()?);
/// assert!("v1".parse::<AgentVersion>().is_err());
/// # Ok::<(), vigo_core::ManifestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentVersion(semver::Version);

impl FromStr for AgentVersion {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, ManifestError> {
        match semver::Version::parse(text) {
            // Build metadata has a place in the order that nobody expects.
            Ok(version) if text.len() <= 64 && version.build.is_empty() => Ok(Self(version)),
            _ => Err(ManifestError::Malformed("a version is MAJOR.MINOR.PATCH, at most 64 characters")),
        }
    }
}

impl fmt::Display for AgentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which build of the agent a signature is for, and when it may be installed.
///
/// ```
/// use vigo_core::{AgentManifest, AgentSigningSecret, UnixTime, UpdateRefusal};
/// use zeroize::Zeroizing;
/// let manifest = AgentManifest::of_binary(
///     b"\x7fELF and the rest",
///     "linux-x86_64".parse()?,
///     "0.2.0".parse()?,
///     UnixTime::from_secs(1_780_000_000)..UnixTime::from_secs(1_811_536_000),
/// );
/// let secret = AgentSigningSecret::from_seed(&Zeroizing::new([7; 32])); // random, in earnest
/// let signed = manifest.sign(&secret)?;
///
/// // An agent has the key compiled in, and the highest version that it ever verified.
/// let manifest = signed.verify(&[secret.public()])?;
/// let (here, running, now) = ("linux-x86_64".parse()?, "0.1.0".parse()?, UnixTime::from_secs(1_790_000_000));
/// assert_eq!(manifest.check(&here, &running, &"0.1.0".parse()?, now), Ok(()));
/// assert_eq!(manifest.check(&here, &running, &"0.3.0".parse()?, now), Err(UpdateRefusal::Older));
/// assert_eq!(manifest.check_binary(b"\x7fELF and another"), Err(UpdateRefusal::OtherBinary));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentManifest {
    /// The build's version.
    pub version: AgentVersion,
    /// What it runs on.
    pub target: AgentTarget,
    /// Bytes of the binary.
    pub size: u64,
    /// SHA-256 of the binary.
    pub sha256: [u8; 32],
    /// It is not installed before.
    pub not_before: UnixTime,
    /// It is not installed from then on. What is installed runs on.
    pub expires: UnixTime,
    /// The oldest agent that may install it: one that is older takes a version between the two first. At most its own
    /// version.
    pub minimum: AgentVersion,
}

/// Bytes that were signed, or are said to be, and the signature. What is in them is unknown until
/// [`verify`](Self::verify) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    /// The manifest's text, exactly as it was signed.
    pub text: Vec<u8>,
    /// Over that text and nothing else.
    pub signature: Signature,
}

/// Why bytes are no manifest of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// None of the keys signed it.
    #[error("the manifest's signature is not one of the keys' that count here")]
    BadSignature,
    /// It was signed, and is for something else.
    #[error("the manifest is for the product `{0}`, not for `vigo`")]
    OtherProduct(String),
    /// Not the text that [`AgentManifest::to_text`] writes.
    #[error("not a manifest: {0}")]
    Malformed(&'static str),
}

/// Why a build that was signed is not installed here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateRefusal {
    /// For another system or processor.
    #[error("it is for another system")]
    OtherTarget,
    /// Older than a version that was verified here before.
    #[error("it is older than a version that was verified here before")]
    Older,
    /// The agent that runs is too old for it.
    #[error("the agent that runs here is older than the manifest's minimum: a version between the two must come first")]
    BelowMinimum,
    /// Not to be installed yet.
    #[error("it is not to be installed yet; is this machine's clock right?")]
    NotYetValid,
    /// Not to be installed any more.
    #[error("it has expired")]
    Expired,
    /// The binary is not the one of the manifest.
    #[error("the binary is not the one that was signed")]
    OtherBinary,
}

impl AgentManifest {
    /// The most bytes of a manifest.
    pub const MAX_BYTES: usize = 1024;
    /// The largest binary that a manifest may name: 256 MiB.
    pub const MAX_SIZE: u64 = 256 << 20;

    /// The manifest of these bytes, to be installed by an agent of any version up to its own.
    #[must_use]
    pub fn of_binary(
        binary: &[u8],
        target: AgentTarget,
        version: AgentVersion,
        valid: std::ops::Range<UnixTime>,
    ) -> Self {
        let sha256 = Sha256::digest(binary).into();
        let minimum = AgentVersion(semver::Version::new(0, 0, 0));
        let (not_before, expires) = (valid.start, valid.end);
        Self { version, target, size: binary.len() as u64, sha256, not_before, expires, minimum }
    }

    /// The text that is signed: these lines in this order, each ended by a line feed, times in Unix seconds.
    ///
    /// ```text
    /// vigo/agent/v1
    /// product vigo
    /// version 0.2.0
    /// os linux
    /// arch x86_64
    /// size 9134080
    /// sha256 0f8a…
    /// not-before 1780000000
    /// expires 1811536000
    /// minimum 0.1.0
    /// ```
    ///
    /// With the text in `vigo.manifest` and the 64 bytes of the signature in `vigo.sig`:
    /// `openssl pkeyutl -verify -rawin -pubin -inkey signing.pub -in vigo.manifest -sigfile vigo.sig`.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{LABEL}\nproduct {PRODUCT}\nversion {}\nos {}\narch {}\nsize {}\nsha256 {}\nnot-before {}\nexpires {}\n\
             minimum {}\n",
            self.version,
            self.target.os(),
            self.target.arch(),
            self.size,
            hex::encode(self.sha256),
            self.not_before.as_secs(),
            self.expires.as_secs(),
            self.minimum
        )
    }

    /// Signs it.
    ///
    /// # Errors
    /// `Malformed` for a manifest that [`SignedManifest::verify`] would refuse.
    pub fn sign(&self, secret: &AgentSigningSecret) -> Result<SignedManifest, ManifestError> {
        let text = self.to_text().into_bytes();
        if Self::parse(&text)? != *self {
            return Err(ManifestError::Malformed("it does not read as it was written"));
        }
        let signature = secret.sign_text(&text);
        Ok(SignedManifest { text, signature })
    }

    /// Whether this build may be installed on such a system, now, where the agent `running` is, and `floor` is the
    /// highest version that was ever verified there.
    ///
    /// # Errors
    /// Why not.
    pub fn check(
        &self,
        here: &AgentTarget,
        running: &AgentVersion,
        floor: &AgentVersion,
        now: UnixTime,
    ) -> Result<(), UpdateRefusal> {
        if self.target != *here {
            Err(UpdateRefusal::OtherTarget)
        } else if self.version < *floor || self.version < *running {
            Err(UpdateRefusal::Older)
        } else if *running < self.minimum {
            Err(UpdateRefusal::BelowMinimum)
        } else if now < self.not_before {
            Err(UpdateRefusal::NotYetValid)
        } else if now >= self.expires {
            Err(UpdateRefusal::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether these bytes are the build.
    ///
    /// # Errors
    /// `OtherBinary`.
    pub fn check_binary(&self, binary: &[u8]) -> Result<(), UpdateRefusal> {
        let same = binary.len() as u64 == self.size && <[u8; 32]>::from(Sha256::digest(binary)) == self.sha256;
        if same { Ok(()) } else { Err(UpdateRefusal::OtherBinary) }
    }

    /// One spelling only: what is read is written again and must be the same bytes.
    fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        use ManifestError::Malformed;
        if bytes.len() > Self::MAX_BYTES {
            return Err(Malformed("it is longer than 1024 bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is no text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(LABEL) {
            return Err(Malformed("its first line is not `vigo/agent/v1`"));
        }
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or(Malformed("a line is missing, or in another place"))
        };
        let product = field("product")?;
        if product != PRODUCT {
            return Err(ManifestError::OtherProduct(
                product.chars().take(32).collect::<String>().escape_debug().to_string(),
            ));
        }
        let version = field("version")?.parse()?;
        let target = format!("{}-{}", field("os")?, field("arch")?).parse()?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| Malformed("a number is none"));
        let size = number(field("size")?)?;
        let mut sha256 = [0; 32];
        hex::decode_to_slice(field("sha256")?, &mut sha256).map_err(|_| Malformed("the SHA-256 is none"))?;
        let not_before = UnixTime::from_secs(number(field("not-before")?)?);
        let expires = UnixTime::from_secs(number(field("expires")?)?);
        let minimum = field("minimum")?.parse()?;
        let manifest = Self { version, target, size, sha256, not_before, expires, minimum };
        if size == 0 || size > Self::MAX_SIZE {
            return Err(Malformed("a binary has from 1 byte to 256 MiB"));
        }
        if manifest.minimum > manifest.version {
            return Err(Malformed("the minimum is above its own version"));
        }
        if manifest.to_text().as_bytes() != bytes {
            return Err(Malformed("it has more than its lines, or another spelling of them"));
        }
        Ok(manifest)
    }
}

impl SignedManifest {
    /// What it says, if one of these keys signed it: the current one, and the next while it is being introduced.
    ///
    /// # Errors
    /// `BadSignature` before anything of the text was read; else why the text is not for an agent.
    pub fn verify(&self, keys: &[AgentSigningKey]) -> Result<AgentManifest, ManifestError> {
        if self.text.len() > AgentManifest::MAX_BYTES {
            return Err(ManifestError::Malformed("it is longer than 1024 bytes"));
        }
        if !keys.iter().any(|key| key.has_signed(&self.text, &self.signature)) {
            return Err(ManifestError::BadSignature);
        }
        AgentManifest::parse(&self.text)
    }
}

impl TryFrom<(Vec<u8>, &[u8])> for SignedManifest {
    type Error = FrameError;

    /// From the two files.
    fn try_from((text, signature): (Vec<u8>, &[u8])) -> Result<Self, FrameError> {
        Ok(Self { text, signature: signature.try_into()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn secret(n: u8) -> AgentSigningSecret {
        AgentSigningSecret::from_seed(&Zeroizing::new([n; 32]))
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(secs)
    }

    fn manifest() -> AgentManifest {
        let valid = at(1_780_000_000)..at(1_811_536_000);
        AgentManifest::of_binary(b"binary", "linux-x86_64".parse().unwrap(), "0.2.0".parse().unwrap(), valid)
    }

    /// These bytes are what agents of every version verify: never another spelling.
    #[test]
    fn rule_15_the_signed_text_is_golden() {
        let expected = "vigo/agent/v1\nproduct vigo\nversion 0.2.0\nos linux\narch x86_64\nsize 6\nsha256 \
                        9a3a45d01531a20e89ac6ae10b0b0beb0492acd7216a368aa062d1a5fecaf9cd\nnot-before 1780000000\n\
                        expires 1811536000\nminimum 0.0.0\n";
        assert_eq!(manifest().to_text(), expected);
        assert_eq!(manifest().sign(&secret(1)).unwrap().verify(&[secret(1).public()]), Ok(manifest()));
    }

    #[test]
    fn rule_15_only_a_compiled_in_key_counts() {
        let signed = manifest().sign(&secret(1)).unwrap();
        assert_eq!(signed.verify(&[]), Err(ManifestError::BadSignature));
        assert_eq!(signed.verify(&[secret(2).public()]), Err(ManifestError::BadSignature));
        assert_eq!(signed.verify(&[secret(2).public(), secret(1).public()]), Ok(manifest()));
        let none = SignedManifest { signature: [0; 64].as_slice().try_into().unwrap(), ..signed };
        assert_eq!(none.verify(&[secret(1).public()]), Err(ManifestError::BadSignature));
    }

    #[test]
    fn rule_15_every_flipped_bit_is_refused() {
        let signed = manifest().sign(&secret(1)).unwrap();
        for at in 0..signed.text.len() * 8 {
            let mut bad = signed.clone();
            bad.text[at / 8] ^= 1 << (at % 8);
            assert_eq!(bad.verify(&[secret(1).public()]), Err(ManifestError::BadSignature), "bit {at}");
        }
        for length in 0..signed.text.len() {
            let bad = SignedManifest { text: signed.text[..length].to_vec(), ..signed.clone() };
            assert_eq!(bad.verify(&[secret(1).public()]), Err(ManifestError::BadSignature), "{length} bytes");
        }
    }

    /// A text that the right key signed, changed before it did.
    #[track_caller]
    fn check(change: impl Fn(String) -> String, expected: &str) {
        let text = change(manifest().to_text()).into_bytes();
        let signature = secret(1).sign_text(&text);
        let said = SignedManifest { text, signature }.verify(&[secret(1).public()]).unwrap_err();
        assert!(said.to_string().contains(expected), "{said}");
    }

    #[test]
    fn rule_15_what_the_key_signed_besides_manifests_is_none() {
        check(|text| text.replace("vigo/agent/v1", "vigo/bundle/v1"), "its first line");
        check(|text| text.replace("product vigo", "product other"), "the product `other`");
        check(|text| text.replace("product vigo", "product \u{1b}[2J"), r"\u{1b}");
        check(|text| text.replace("minimum 0.0.0", "minimum 0.2.1"), "above its own version");
        check(|text| text.replace("0.2.0", "0.2.0+7"), "a version is");
        check(|text| text.replace("0.2.0", "00.2.0"), "a version is");
        check(|text| text.replace("size 6", "size 06"), "another spelling");
        check(|text| text.replace("size 6", "size +6"), "another spelling");
        check(|text| text.replace("size 6", "size 0"), "from 1 byte");
        check(|text| text.replace("size 6", "size 268435457"), "256 MiB");
        check(|text| text.replace("9a3a45", "9A3a45"), "another spelling");
        check(|text| text.replace("linux", "Linux"), "a target is");
        check(|text| text.replace('\n', "\r\n"), "another spelling");
        check(|text| text + "more\n", "another spelling");
        check(|text| text.trim_end().to_owned(), "another spelling");
        check(|text| text + &"x".repeat(1024), "longer than 1024");
        check(|text| text.replace("os linux\narch x86_64", "arch x86_64\nos linux"), "in another place");
        check(|_| String::new(), "its first line");
    }

    #[test]
    fn rule_15_not_for_here_or_not_now() {
        let here: AgentTarget = "linux-x86_64".parse().unwrap();
        let (floor, now) = ("0.2.0".parse().unwrap(), at(1_780_000_000));
        let running: AgentVersion = "0.1.0".parse().unwrap();
        let check =
            |target: &AgentTarget, floor: &str, now| manifest().check(target, &running, &floor.parse().unwrap(), now);
        assert_eq!(manifest().check(&here, &running, &floor, now), Ok(()));
        let newer = "0.2.1".parse().unwrap();
        assert_eq!(manifest().check(&here, &newer, &floor, now), Err(UpdateRefusal::Older));
        let stepped = AgentManifest { minimum: "0.1.1".parse().unwrap(), ..manifest() };
        assert_eq!(stepped.check(&here, &running, &floor, now), Err(UpdateRefusal::BelowMinimum));
        assert_eq!(stepped.check(&here, &"0.1.1".parse().unwrap(), &floor, now), Ok(()));
        assert_eq!(check(&"linux-aarch64".parse().unwrap(), "0.2.0", now), Err(UpdateRefusal::OtherTarget));
        assert_eq!(check(&"macos-x86_64".parse().unwrap(), "0.2.0", now), Err(UpdateRefusal::OtherTarget));
        assert_eq!(check(&here, "0.2.1-rc.1", now), Err(UpdateRefusal::Older));
        assert_eq!(check(&here, "0.2.0-rc.1", now), Ok(()));
        assert_eq!(check(&here, "0.2.0", at(1_779_999_999)), Err(UpdateRefusal::NotYetValid));
        assert_eq!(check(&here, "0.2.0", at(1_811_535_999)), Ok(()));
        assert_eq!(check(&here, "0.2.0", at(1_811_536_000)), Err(UpdateRefusal::Expired));
    }

    #[test]
    fn rule_15_the_binary_is_the_one_that_was_signed() {
        assert_eq!(manifest().check_binary(b"binary"), Ok(()));
        for other in [&b""[..], b"binar", b"binarz", b"binary\0"] {
            assert_eq!(manifest().check_binary(other), Err(UpdateRefusal::OtherBinary));
        }
    }
}
