//! Placeholder

pub mod script;
