//! Lists, written from stored bytes a chunk at a time: no object is parsed, and no whole list is held.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_ENCODING, VARY};
use http::{HeaderValue, StatusCode};
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::Page;
use kedge_store::Entry;
use serde_json::{Map, Value, json};

use super::{Answer, GZIP_FROM, Reply, gzip, pretty, text};
use crate::members;
use crate::negotiate::{Encoding, Form};

/// What a chunk grows to before it is sent.
const CHUNK: usize = 32 << 10;

/// A page on its way out.
pub(super) struct List {
    head: String,
    items: std::vec::IntoIter<Arc<Entry>>,
    style: Style,
    state: State,
}

#[derive(Clone, Copy)]
enum Style {
    Json,
    PartialJson,
    PrettyJson { partial: bool },
    Yaml { partial: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    First,
    Rest,
    Done,
}

/// `metadata` of a list.
pub(crate) fn metadata(page: &Page) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), page.revision.to_string().into());
    if !page.continue_token.is_empty() {
        metadata.insert("continue".into(), page.continue_token.as_str().into());
    }
    if let Some(remaining) = page.remaining {
        metadata.insert("remainingItemCount".into(), remaining.into());
    }
    metadata
}

impl Reply {
    /// A page as a list of its kind, or of partial metadata. Tables are made elsewhere.
    pub(crate) fn list(self, kind: &Kind, page: Page) -> Result<Answer, Status> {
        let partial = self.media.form == Form::PartialMetadata;
        let style = match (self.media.encoding, self.pretty) {
            (Encoding::Yaml, _) => Style::Yaml { partial },
            (Encoding::Json, true) => Style::PrettyJson { partial },
            (Encoding::Json, false) if partial => Style::PartialJson,
            (Encoding::Json, false) => Style::Json,
        };
        let size: usize = page.items.iter().map(|entry| entry.value.len()).sum();
        let list = List::new(kind, page, style)?;
        if size < CHUNK {
            let mut all = Vec::with_capacity(size + 512);
            for chunk in list {
                all.extend_from_slice(&chunk);
            }
            return Ok(text(StatusCode::OK, self.content_type(), all));
        }
        let packed = self.gzip && size >= GZIP_FROM;
        let body = match packed {
            true => Body::from_stream(stream::iter(
                gzip::Chunks::new(list).map(Ok::<_, std::io::Error>),
            )),
            false => Body::from_stream(stream::iter(list.map(Ok::<_, std::io::Error>))),
        };
        let mut answer = text(StatusCode::OK, self.content_type(), body);
        if packed {
            answer
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        Ok(answer)
    }
}

impl List {
    fn new(kind: &Kind, page: Page, style: Style) -> Result<Self, Status> {
        let (name, version) = match style {
            Style::PartialJson
            | Style::PrettyJson { partial: true }
            | Style::Yaml { partial: true } => (
                "PartialObjectMetadataList".to_string(),
                "meta.k8s.io/v1".to_string(),
            ),
            _ => (kind.list_kind(), kind.api_version()),
        };
        let envelope = json!({ "apiVersion": version, "kind": name, "metadata": metadata(&page) });
        let head = match style {
            Style::Yaml { .. } => {
                format!(
                    "{}\nitems:{}",
                    pretty::yaml(&envelope)?.trim_end(),
                    if page.items.is_empty() { " []" } else { "" }
                )
            }
            Style::PrettyJson { .. } => {
                let text = pretty::json(&envelope);
                format!("{},\n  \"items\": [", text.trim_end_matches('}').trim_end())
            }
            Style::Json | Style::PartialJson => {
                let text = envelope.to_string();
                format!("{},\"items\":[", &text[..text.len() - 1])
            }
        };
        Ok(Self {
            head,
            items: page.items.into_iter(),
            style,
            state: State::Head,
        })
    }

    fn push_item(&self, out: &mut Vec<u8>, item: &[u8]) {
        let first = self.state == State::First;
        match self.style {
            Style::Json | Style::PartialJson => {
                if !first {
                    out.push(b',');
                }
                match self.style {
                    Style::Json => members::push_without_type(out, item),
                    _ => members::push_partial(out, item),
                }
            }
            Style::PrettyJson { partial } => {
                out.extend_from_slice(if first { b"\n    " } else { b",\n    " });
                let text = pretty::json(&tree(item, partial));
                out.extend_from_slice(pretty::indent(&text, 4).as_bytes());
            }
            Style::Yaml { partial } => {
                // What was parsed a moment ago can be written again.
                let text = pretty::yaml(&tree(item, partial)).unwrap_or_default();
                out.extend_from_slice(b"\n- ");
                out.extend_from_slice(pretty::indent(text.trim_end(), 2).as_bytes());
            }
        }
    }

    fn tail(&self) -> &'static [u8] {
        match self.style {
            Style::Json | Style::PartialJson => b"]}\n",
            Style::PrettyJson { .. } if self.state == State::First => b"]\n}\n",
            Style::PrettyJson { .. } => b"\n  ]\n}\n",
            Style::Yaml { .. } => b"\n",
        }
    }
}

/// A stored object as a tree, as it stands in a list.
fn tree(item: &[u8], partial: bool) -> Value {
    let mut text = Vec::with_capacity(item.len());
    match partial {
        true => members::push_partial(&mut text, item),
        false => members::push_without_type(&mut text, item),
    }
    serde_json::from_slice(&text).unwrap_or_default()
}

impl Iterator for List {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        loop {
            match self.state {
                State::Done => return None,
                State::Head => {
                    chunk = std::mem::take(&mut self.head).into_bytes();
                    self.state = State::First;
                }
                State::First | State::Rest => match self.items.next() {
                    Some(item) => {
                        self.push_item(&mut chunk, &item.value);
                        self.state = State::Rest;
                        if chunk.len() >= CHUNK {
                            return Some(chunk.into());
                        }
                    }
                    None => {
                        chunk.extend_from_slice(self.tail());
                        self.state = State::Done;
                        return Some(chunk.into());
                    }
                },
            }
        }
    }
}
