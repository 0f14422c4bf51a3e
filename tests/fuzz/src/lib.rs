//! Every decoder of what clients send, run on inputs that nobody meant: recorded bodies, changed at random.
//!
//! A target is a function of bytes that panics when something does not hold that always must. Changes follow from a
//! seed alone, so a finding is found again by its seed and number; nothing is instrumented, and any stable
//! toolchain runs it.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod engine;
pub mod mutate;
pub mod targets;
