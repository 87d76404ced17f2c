//! Signed frames, byte for byte: what each is made of, what its signature covers, and everything that is refused.
#![expect(clippy::unwrap_used, reason = "a test")]

mod hand;
mod scene;

mod bodies;
mod golden;
#[cfg(feature = "grpc")]
mod grpc;
mod purposes;
mod refused;
mod round_trips;
mod sizes;
