#![doc = include_str!("../README.md")]

pub mod rules;
pub mod token;

mod decide;
mod decision;
mod facts;
mod lost;
mod outcome;
mod refusal;
mod replace;
mod trace;
mod way_in;

mod hash_pool;
mod hook;
mod limits;
pub mod operate;
mod registrar;
pub mod script;

pub use decide::{decide, verdict};
pub use decision::{Decision, Grant, Permit, Verdict};
pub use facts::{Facts, HolderFact, IdentityFact, ProofFact, Request, RequestFact, TokenFact};
pub use hash_pool::{HashError, HashPool, HashPoolError};
pub use hook::{AdmissionHook, Candidate, HookAnswer};
pub use limits::{Limiter, Limits, Rate};
pub use lost::Lost;
pub use outcome::{Outcome, RuleId, RuleOutcome, Skipped};
pub use refusal::{Reason, Refusal, RefusalKind, TokenFault};
pub use registrar::{Dice, Enrolled, Registrar, RegistrarParts};
