//! The way of a write: decode, default, own, change, allocate, prepare, validate, check, commit.
//!
//! Allocation only chooses, and stands before validation because validation looks at what was chosen, as upstream's does.
//! What was chosen is claimed by the commit, under the condition that nobody else claimed it meanwhile; who
//! loses that race goes through the steps again from the latest state.

mod bind;
mod collection;
mod commit;
mod create;
mod custom;
mod decode;
mod delete;
pub(crate) mod deletion;
mod evict;
mod finish;
mod lifecycle;
mod metadata;
mod patch;
pub(crate) mod review;
mod scale;
mod shape;
mod update;

/// The name of the subresource whose body is another kind's.
const SCALE: &str = "scale";

/// How often a write begins again from the latest state. Whoever loses a race loses to a write that
/// succeeded, so this ends only when others succeed all the time.
const ATTEMPTS: usize = 64;
