//! The stateful half: the registrar, operators' acts, limits and the audit log, over real stores and failing ones.

mod invariants;
mod issuer;
mod machine;
mod model;
mod scenarios;
mod spy;
mod world;

mod acts;
mod audit_log;
mod envoys;
mod explain;
mod faults;
mod histories;
mod hostile;
mod limits;
mod meanwhile;
mod once;
mod one_commit;
mod operators;
mod races;
mod takeover;
mod tokens;
mod ways_in;
