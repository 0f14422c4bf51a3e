//! The decoders, each with what must hold of every input.

mod apply;
mod body;
mod dns;
mod patch;
mod protobuf;
mod request;
mod text;

use std::sync::{Arc, LazyLock};

use kedge_api::{Catalog, Kind};
use serde_json::Value;

use crate::corpus::OBJECTS;

/// One decoder.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics when what must hold does not.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ALL: &[Target] = &[
    Target {
        name: "json-patch",
        seeds: patch::json_seeds,
        run: patch::json,
    },
    Target {
        name: "merge-patch",
        seeds: patch::merge_seeds,
        run: patch::merge,
    },
    Target {
        name: "strategic-merge-patch",
        seeds: patch::strategic_seeds,
        run: patch::strategic,
    },
    Target {
        name: "apply",
        seeds: apply::seeds,
        run: apply::run,
    },
    Target {
        name: "fields-v1",
        seeds: apply::field_seeds,
        run: apply::fields,
    },
    Target {
        name: "protobuf",
        seeds: protobuf::seeds,
        run: protobuf::run,
    },
    Target {
        name: "json-body",
        seeds: body::json_seeds,
        run: body::json,
    },
    Target {
        name: "yaml-body",
        seeds: body::yaml_seeds,
        run: body::yaml,
    },
    Target {
        name: "selector",
        seeds: text::selector_seeds,
        run: text::selector,
    },
    Target {
        name: "continue",
        seeds: text::token_seeds,
        run: text::token,
    },
    Target {
        name: "quantity",
        seeds: text::quantity_seeds,
        run: text::quantity,
    },
    Target {
        name: "request",
        seeds: request::seeds,
        run: request::run,
    },
    Target {
        name: "dns-question",
        seeds: dns::question_seeds,
        run: dns::ask,
    },
    Target {
        name: "dns-answer",
        seeds: dns::answer_seeds,
        run: dns::answered,
    },
];

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(Catalog::builtin);

/// The object that the first byte of an input chooses, its kind, and the rest.
fn object(input: &[u8]) -> Option<(&'static Value, &'static Arc<Kind>, &[u8])> {
    let (first, rest) = input.split_first()?;
    let object = OBJECTS.get(usize::from(*first) % OBJECTS.len().max(1))?;
    Some((object, kind_of(object)?, rest))
}

fn kind_of(object: &Value) -> Option<&'static Arc<Kind>> {
    let version = object["apiVersion"].as_str()?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    CATALOG.find_kind(group, version, object["kind"].as_str()?)
}

/// Bodies behind a byte that chooses the object; the same body for a few objects.
fn chosen(bodies: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let all = bodies.iter().enumerate();
    all.map(|(at, body)| [&[at as u8], &body[..]].concat())
        .collect()
}
