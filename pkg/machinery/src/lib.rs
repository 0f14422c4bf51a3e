//! Objects as Kubernetes means them: metadata, selectors, patches, field ownership, `Status`.
//!
//! Everything here is a function of values: no socket, clock, file or task.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod address_range;
pub mod apply;
pub mod clash;
pub mod decode;
pub mod few;
pub mod fields;
pub mod json;
pub mod meta_validate;
pub mod names;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod service_cidr;
pub mod status;
pub mod structural;
pub mod time;

pub use address_range::{AddressRange, RangeError};
pub use clash::Clash;
pub use few::Few;
pub use object::Object;
pub use status::{Cause, FieldError, Status};
