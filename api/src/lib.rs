//! What is served: kinds, their schemas, discovery, OpenAPI, printing columns and protobuf bodies.
//!
//! A kind is data: a row in [`catalog`], a schema, and, where `kubectl get` shows more than name and
//! age, a set of columns. Nothing here does I/O.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod catalog;
pub mod columns;
pub mod custom;
pub mod discovery;
mod fields;
mod hash;
pub mod json_path;
mod kind;
pub mod openapi;
pub mod protobuf;
mod schemas;
mod table;
mod verbs;
pub mod version;

pub use catalog::Catalog;
pub use columns::ColumnDefinition;
pub use fields::{field_value, has_own_labels, is_selectable};
pub use kind::{Kind, Subresource, api_version};
pub use protobuf::ProtobufError;
