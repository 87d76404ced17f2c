#![doc = include_str!("../README.md")]

mod addr;
mod cidr_set;
mod hostname;
mod id;
mod key;
mod manifest;
mod pattern;
mod pattern_set;
mod pin;
mod platform;
mod signing_keys;
mod time;
mod token_text;

mod bundle;
mod challenge;
mod checkin;
mod directive;
pub mod frame;
mod registration;
mod reply;
mod session;

mod admission;
pub mod audit;
pub mod keyspace;
pub mod record;
pub mod store;

/// The protobuf messages and the gRPC service, generated from `proto/`.
#[cfg(feature = "grpc")]
pub mod wire {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated")]
    tonic::include_proto!("vigo.v1");
}
#[cfg(not(feature = "grpc"))]
mod wire {
    #![allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/vigo.v1.rs"));
}

pub use addr::{Cidr, CidrError, ClientAddr};
pub use admission::{Admission, IssueError, IssuedCertificate, Issuer};
pub use bundle::{Bundle, Configcrate, PolicyState, Resource, SignedBundle, Value, VerifiedBundle};
pub use challenge::{Challenge, ChallengeKey};
pub use checkin::{CheckIn, RequestDigest, SessionPoint, SignedCheckIn, StateReport};
pub use cidr_set::CidrSet;
pub use directive::{ActionError, Directive, DirectiveAction, DirectiveResult, UpdateFailure};
pub use frame::{Audience, FrameError};
pub use hostname::{Hostname, HostnameError};
pub use id::{ApprovalId, DirectiveId, EnvoyId, Epoch, IdError, RequestId, Sequence, Serial, ServerId, TokenId};
pub use key::{
    AgentSigningKey, AgentSigningSecret, IdentityKey, IdentitySecret, KeyError, ServerKey, ServerSecret, Signature,
};
pub use manifest::{AgentManifest, AgentTarget, AgentVersion, ManifestError, SignedManifest, UpdateRefusal};
pub use pattern::{Breadth, HostPattern, HostPatternError};
pub use pattern_set::PatternSet;
pub use pin::{Pin, PinError};
pub use platform::Platform;
pub use registration::{
    OldEnvoy, Proof, Registration, RegistrationError, RegistrationKind, SignedRegistration, Takeover,
    VerifiedRegistration,
};
pub use reply::{Accepted, Notice, PolicyChange, Reply, ReplyOutcome, ReplyProof, Resync, SignedReply};
pub use session::{Session, Step};
pub use signing_keys::{SigningKeys, SigningKeysError};
pub use time::UnixTime;
pub use token_text::TokenText;
