//! The ruleset's own terms: how a packet's way is put into marks, and which elements say so.
//!
//! A packet's first look-up, address . protocol . port in the map `svc`, gives a [`Mark`]: the
//! [`Group`] of endpoints, [`Flags`] and a [`Class`]. The class leads to a chain. For most that is
//! the chain that draws one of n slots; others are steps before it, each of which replaces the mark
//! by the next one, found by the group:
//!
//! source ranges -> by source -> sticky -> count
//!
//! A group of up to 64 endpoints has the chain of its number. Above, there are four chains for each
//! doubling: a chain draws from as many slots as its name says, of which at least four in five are
//! filled; a draw of an empty one is made again, six times, and the last time among as many slots
//! as the next smaller chain has, which are all filled. So any number of endpoints is served
//! evenly, and no number needs a chain of its own.

mod class;
mod element;
mod fixed;
mod mark;

pub use class::Class;
pub use element::{Dispatch, Element, Key, ServiceKey, Value};
pub use fixed::fixed_elements;
pub use mark::{Flags, Group, Mark};
