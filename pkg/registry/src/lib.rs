//! What a request means: every verb on every kind, without HTTP.
//!
//! A write goes one way, each stop a function to read: decode, default, own, change ([`admission`]), allocate, prepare,
//! validate, check, commit (`write`). What a kind adds of its own is its strategy (`strategy`); a kind without one obeys the common
//! rules. Reads are snapshots of the store, watches are its events seen through selectors (`read`).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod admission;
mod allocate;
mod bootstrap;
mod check;
mod condition;
pub mod definitions;
mod keys;
pub mod pod_references;
mod read;
mod registry;
mod request;
mod stored;
mod strategy;
pub mod table;
pub mod user;
mod value;
mod write;

pub use keys::names;
pub use read::list::resume_token;
pub use read::watch::Watcher;
pub use registry::{Registry, RegistryConfig, creates_on_update, deprecation};
pub use request::{
    DeleteOptions, Deleted, FieldValidation, GetOptions, ListOptions, Page, Patch, PatchKind,
    Propagation, Target, WatchEvent, WatchOptions, WriteOptions, Written,
};
pub use table::{IncludeObject, MetaVersion, TableOptions};
pub use user::User;
pub use write::deletion::deletion_warnings;
pub use write::review::Question;
