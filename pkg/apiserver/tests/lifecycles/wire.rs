//! Messages of lists, refusals, deletions and watches, taken apart and put together by hand.

use std::sync::Arc;
use std::time::Duration;

use kedge_api::{Catalog, protobuf};
use kedge_client::http::Streaming;
use serde_json::{Value, json};

pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The fields of a message that hold bytes, with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = varint(&mut message);
        if key & 7 == 2 {
            let (bytes, rest) = message.split_at(usize::try_from(value).unwrap());
            found.push((key >> 3, bytes));
            message = rest;
        }
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first().unwrap();
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn field(message: &[u8], number: u64) -> &[u8] {
    let found = fields(message).into_iter().find(|(own, _)| *own == number);
    found.map_or(&[], |(_, bytes)| bytes)
}

fn text(message: &[u8], number: u64) -> String {
    String::from_utf8(field(message, number).to_vec()).unwrap()
}

fn bytes(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(number << 3 | 2);
    let mut size = value.len();
    while size >= 0x80 {
        out.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    out.push(u8::try_from(size).unwrap());
    out.extend_from_slice(value);
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut meta = Vec::new();
    bytes(&mut meta, 1, api_version.as_bytes());
    bytes(&mut meta, 2, kind.as_bytes());
    let mut out = b"k8s\0".to_vec();
    bytes(&mut out, 1, &meta);
    bytes(&mut out, 2, raw);
    out
}

/// An object, a list or a refusal as its JSON; of a refusal its message and reason alone.
pub fn decoded(catalog: &Catalog, body: &[u8]) -> Value {
    let outer = body.strip_prefix(b"k8s\0").unwrap();
    let meta = field(outer, 1);
    let (api_version, kind) = (text(meta, 1), text(meta, 2));
    let raw = field(outer, 2);
    if kind == "Status" {
        let list_meta = field(raw, 1);
        return json!({
            "kind": "Status", "message": text(raw, 3), "reason": text(raw, 4),
            "metadata": {"continue": text(list_meta, 3)},
        });
    }
    let Some(item_kind) = kind.strip_suffix("List") else {
        return protobuf::decode(catalog, body).unwrap().into_value();
    };
    let page = field(raw, 1);
    let items: Vec<Value> = fields(raw)
        .into_iter()
        .filter(|(number, _)| *number == 2)
        .map(|(_, item)| decoded(catalog, &envelope(&api_version, item_kind, item)))
        .collect();
    let metadata = json!({"resourceVersion": text(page, 2), "continue": text(page, 3)});
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})
}

/// `meta.v1.DeleteOptions` { gracePeriodSeconds = 1, preconditions = 2 { uid = 1, resourceVersion = 2 },
/// propagationPolicy = 4, dryRun = 5 }.
pub fn delete_options(options: &Value) -> Vec<u8> {
    let mut raw = Vec::new();
    if let Some(seconds) = options["gracePeriodSeconds"].as_u64() {
        raw.extend_from_slice(&[1 << 3, u8::try_from(seconds).unwrap()]);
    }
    let mut preconditions = Vec::new();
    for (number, name) in [(1, "uid"), (2, "resourceVersion")] {
        if let Some(value) = options["preconditions"][name].as_str() {
            bytes(&mut preconditions, number, value.as_bytes());
        }
    }
    if !preconditions.is_empty() {
        bytes(&mut raw, 2, &preconditions);
    }
    if let Some(policy) = options["propagationPolicy"].as_str() {
        bytes(&mut raw, 4, policy.as_bytes());
    }
    if options["dryRun"] == "All" {
        bytes(&mut raw, 5, b"All");
    }
    let word = |name: &str| options[name].as_str().unwrap();
    envelope(word("apiVersion"), word("kind"), &raw)
}

/// What a watch tells, each event behind its length.
pub struct Events {
    stream: Streaming,
    rest: Vec<u8>,
    catalog: Arc<Catalog>,
}

impl Events {
    pub fn new(stream: Streaming) -> Self {
        assert_eq!(stream.status, 200);
        assert_eq!(
            stream.headers["content-type"],
            format!("{PROTOBUF};stream=watch")
        );
        Self {
            stream,
            rest: Vec::new(),
            catalog: Catalog::builtin(),
        }
    }

    pub async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((size, rest)) = self.rest.split_first_chunk::<4>() {
                let size = u32::from_be_bytes(*size) as usize;
                if rest.len() >= size {
                    let event = rest[..size].to_vec();
                    self.rest.drain(..4 + size);
                    let object = field(field(&event, 2), 1);
                    return (text(&event, 1), decoded(&self.catalog, object));
                }
            }
            let piece = tokio::time::timeout(Duration::from_secs(10), self.stream.next())
                .await
                .expect("an event in time");
            let piece = piece.unwrap().expect("the watch goes on");
            self.rest.extend_from_slice(&piece);
        }
    }
}
