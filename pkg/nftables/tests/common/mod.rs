//! What every kernel test needs: a network namespace of its own, and a ruleset to load.
#![allow(dead_code)]

pub mod design;
mod namespace;

pub use namespace::in_namespace;
