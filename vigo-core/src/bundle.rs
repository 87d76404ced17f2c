use std::collections::BTreeMap;

use prost::Message as _;
use sha2::{Digest, Sha256};

use crate::frame::{Audience, FrameError, Label, parse};
use crate::{ServerId, ServerKey, ServerSecret, Signature, wire};

/// What one envoy has to apply: configcrates in the order in which they are applied.
///
/// ```
/// use std::collections::BTreeMap;
/// use vigo_core::{Bundle, Configcrate, Resource, ServerId, ServerSecret, Value};
/// # let signing = ServerSecret::from_seed(&zeroize::Zeroizing::new([1; 32]));
/// # let server = ServerId::from_random([2; 16]);
/// let motd = Resource {
///     name: "/etc/motd".to_owned(),
///     kind: "file".to_owned(),
///     state: "present".to_owned(),
///     attributes: BTreeMap::from([("content".to_owned(), Value::Text("hello".to_owned()))]),
/// };
/// let mut bundle = Bundle {
///     hostcrate: Some("*.example.com".to_owned()),
///     configcrates: vec![Configcrate { name: "motd".to_owned(), resources: vec![motd] }],
///     ..Bundle::default()
/// };
/// // Equal content, equal version: an envoy that holds it needs no other.
/// let (_, held) = bundle.sign(&signing, &server)?;
/// assert_eq!(bundle.sign(&signing, &server)?.1, held);
/// bundle.configcrates.clear();
/// assert_ne!(bundle.sign(&signing, &server)?.1.version, held.version);
/// # Ok::<(), vigo_core::FrameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// The match block that chose it; `None` where no block takes the envoy's hostname, and then nothing is to apply.
    pub hostcrate: Option<String>,
    /// The environment of that block.
    pub environment: String,
    /// The roles of that block.
    pub roles: Vec<String>,
    /// Dependencies first.
    pub configcrates: Vec<Configcrate>,
}

/// A named set of resources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configcrate {
    /// Its name.
    pub name: String,
    /// In the order in which they are applied.
    pub resources: Vec<Resource>,
}

/// One piece of desired state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// What it is called within its configcrate.
    pub name: String,
    /// `file`, `package`, `service`, …
    pub kind: String,
    /// The state it shall have: `present`, `absent`, `running`, …
    pub state: String,
    /// Everything else that was said of it, variables filled in.
    pub attributes: BTreeMap<String, Value>,
}

/// A value of a resource's attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
}

/// The state of the policy that an envoy holds, or should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyState {
    /// The bundle's version, for people.
    pub version: String,
    /// SHA-256 of the bundle's body, for machines.
    pub digest: [u8; 32],
}

/// A bundle with the server's signature over it. Signed once for all envoys of a hostcrate.
///
/// ```
/// use vigo_core::{Bundle, FrameError, ServerId, ServerSecret, SignedBundle};
/// # let signing = ServerSecret::from_seed(&zeroize::Zeroizing::new([1; 32]));
/// # let server = ServerId::from_random([2; 16]);
/// let bundle = Bundle { environment: "production".to_owned(), ..Bundle::default() };
/// let (signed, state) = bundle.sign(&signing, &server)?;
///
/// // An agent keeps the bytes, and verifies them whenever it reads them.
/// let mut cached = SignedBundle::from_bytes(&signed.to_bytes())?;
/// let verified = cached.verify(&signing.public(), &server)?;
/// assert_eq!((verified.bundle, verified.state), (bundle, state));
///
/// cached.body[0] ^= 1;
/// assert_eq!(cached.verify(&signing.public(), &server), Err(FrameError::BadSignature));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBundle {
    /// The bytes that the signature covers.
    pub body: Vec<u8>,
    /// By the server's signing key.
    pub signature: Signature,
}

/// A bundle whose signature was verified.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedBundle {
    /// What is to apply.
    pub bundle: Bundle,
    /// What it is called and what its body hashes to.
    pub state: PolicyState,
}

/// How deep lists and maps may be nested in an attribute.
const MAX_DEPTH: usize = 32;

impl Bundle {
    /// The number of resources in all configcrates.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.configcrates.iter().map(|c| c.resources.len()).sum()
    }

    /// Encodes and signs. Equal bundles have equal versions, digests and signatures: the version is the start of the
    /// digest of the content.
    ///
    /// # Errors
    /// `TooLarge` above [`MAX_BUNDLE`](crate::frame::MAX_BUNDLE) bytes.
    pub fn sign(&self, secret: &ServerSecret, server: &ServerId) -> Result<(SignedBundle, PolicyState), FrameError> {
        let mut wire = self.to_wire();
        wire.version = hex::encode(&Sha256::digest(wire.encode_to_vec())[..6]);
        let body = wire.encode_to_vec();
        let signature = secret.sign(Label::Bundle, Audience::server(server), &body)?;
        let state = PolicyState { version: wire.version, digest: Sha256::digest(&body).into() };
        Ok((SignedBundle { body, signature }, state))
    }

    fn to_wire(&self) -> wire::Bundle {
        let resource = |r: &Resource| wire::Resource {
            name: r.name.clone(),
            kind: r.kind.clone(),
            state: r.state.clone(),
            attributes: attributes_to_wire(&r.attributes),
        };
        let configcrate = |c: &Configcrate| wire::Configcrate {
            name: c.name.clone(),
            resources: c.resources.iter().map(resource).collect(),
        };
        wire::Bundle {
            version: String::new(),
            hostcrate: self.hostcrate.clone().unwrap_or_default(),
            environment: self.environment.clone(),
            roles: self.roles.clone(),
            configcrates: self.configcrates.iter().map(configcrate).collect(),
        }
    }

    fn from_wire(wire: wire::Bundle) -> Result<Self, FrameError> {
        let configcrates = wire
            .configcrates
            .into_iter()
            .map(|c| {
                let resources = c
                    .resources
                    .into_iter()
                    .map(|r| {
                        let attributes = attributes_from_wire(r.attributes, 0)?;
                        Ok(Resource { name: r.name, kind: r.kind, state: r.state, attributes })
                    })
                    .collect::<Result<_, FrameError>>()?;
                Ok(Configcrate { name: c.name, resources })
            })
            .collect::<Result<_, FrameError>>()?;
        Ok(Self {
            hostcrate: (!wire.hostcrate.is_empty()).then_some(wire.hostcrate),
            environment: wire.environment,
            roles: wire.roles,
            configcrates,
        })
    }
}

impl SignedBundle {
    /// Verifies the bytes as they were received, then parses them.
    ///
    /// # Errors
    /// When the signature is not `key`'s for this server, or the body is malformed.
    pub fn verify(&self, key: &ServerKey, server: &ServerId) -> Result<VerifiedBundle, FrameError> {
        key.verify(Label::Bundle, Audience::server(server), &self.body, &self.signature)?;
        let wire: wire::Bundle = parse(&self.body, Label::Bundle)?;
        let state = PolicyState { version: wire.version.clone(), digest: Sha256::digest(&self.body).into() };
        Ok(VerifiedBundle { bundle: Bundle::from_wire(wire)?, state })
    }

    /// As one string of bytes, for a cache file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Nothing is verified yet.
    ///
    /// # Errors
    /// `Malformed` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
        let wire = wire::SignedBundle::decode(bytes).map_err(|_| FrameError::Malformed("not a signed bundle"))?;
        Self::try_from(wire)
    }

    pub(crate) fn to_wire(&self) -> wire::SignedBundle {
        wire::SignedBundle { body: self.body.clone(), signature: self.signature.as_bytes().to_vec() }
    }
}

impl From<&SignedBundle> for wire::SignedBundle {
    fn from(bundle: &SignedBundle) -> Self {
        bundle.to_wire()
    }
}

impl TryFrom<wire::SignedBundle> for SignedBundle {
    type Error = FrameError;

    fn try_from(wire: wire::SignedBundle) -> Result<Self, FrameError> {
        Ok(Self { body: wire.body, signature: wire.signature.as_slice().try_into()? })
    }
}

impl PolicyState {
    pub(crate) fn to_wire(&self) -> wire::PolicyState {
        wire::PolicyState { version: self.version.clone(), digest: self.digest.to_vec() }
    }

    pub(crate) fn from_wire(wire: wire::PolicyState) -> Result<Self, FrameError> {
        if wire.version.len() > 64 || !wire.version.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(FrameError::Malformed("a policy version is at most 64 printable ASCII characters"));
        }
        let digest = wire.digest.try_into().map_err(|_| FrameError::Malformed("a policy digest is 32 bytes"))?;
        Ok(Self { version: wire.version, digest })
    }
}

fn attributes_to_wire(attributes: &BTreeMap<String, Value>) -> Vec<wire::Attribute> {
    attributes
        .iter()
        .map(|(name, value)| wire::Attribute { name: name.clone(), value: Some(value_to_wire(value)) })
        .collect()
}

fn value_to_wire(value: &Value) -> wire::Value {
    use wire::value::Kind;
    wire::Value {
        kind: Some(match value {
            Value::Null => Kind::Null(wire::NoChange {}),
            Value::Bool(b) => Kind::Bool(*b),
            Value::Int(n) => Kind::Int(*n),
            Value::Float(x) => Kind::Float(*x),
            Value::Text(s) => Kind::Text(s.clone()),
            Value::List(items) => Kind::List(wire::ValueList { items: items.iter().map(value_to_wire).collect() }),
            Value::Map(map) => Kind::Map(wire::ValueMap { entries: attributes_to_wire(map) }),
        }),
    }
}

fn attributes_from_wire(wire: Vec<wire::Attribute>, depth: usize) -> Result<BTreeMap<String, Value>, FrameError> {
    wire.into_iter().map(|a| Ok((a.name, value_from_wire(a.value, depth)?))).collect()
}

fn value_from_wire(wire: Option<wire::Value>, depth: usize) -> Result<Value, FrameError> {
    use wire::value::Kind;
    if depth > MAX_DEPTH {
        return Err(FrameError::Malformed("an attribute is nested too deeply"));
    }
    match wire.and_then(|w| w.kind) {
        Some(Kind::Null(_)) => Ok(Value::Null),
        Some(Kind::Bool(b)) => Ok(Value::Bool(b)),
        Some(Kind::Int(n)) => Ok(Value::Int(n)),
        Some(Kind::Float(x)) => Ok(Value::Float(x)),
        Some(Kind::Text(s)) => Ok(Value::Text(s)),
        Some(Kind::List(list)) => list
            .items
            .into_iter()
            .map(|v| value_from_wire(Some(v), depth + 1))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Some(Kind::Map(map)) => attributes_from_wire(map.entries, depth + 1).map(Value::Map),
        None => Err(FrameError::Unsupported("this kind of value")),
    }
}
