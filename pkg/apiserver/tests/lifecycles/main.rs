//! What upstream's end-to-end tests of the API (`test/e2e/{apimachinery,apps,auth,common/node,instrumentation,scheduling,
//! storage}`) ask where no container has to run, in our own words. `docs/conformance.md` tells which is where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod apply;
mod certificates;
mod data;
mod documents;
mod events;
mod every_kind;
mod kinds;
mod lists;
mod namespaces;
#[path = "../support/mod.rs"]
mod support;
mod typed;
mod watching;
mod wire;
