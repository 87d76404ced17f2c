#![doc = include_str!("../README.md")]

mod clock;
mod dice;

pub use clock::now;
pub use dice::{id, seed};
