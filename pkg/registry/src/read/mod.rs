//! Reads: snapshots of the store, and its events, through selectors.

mod follow;
mod get;
mod history;
pub(crate) mod list;
pub(crate) mod revision;
mod selection;
mod token;
pub(crate) mod watch;

pub(crate) use selection::{Selection, Selectors};
