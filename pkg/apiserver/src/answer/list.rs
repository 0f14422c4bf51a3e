//! Lists, written from stored bytes a chunk at a time: no tree and no text of a whole list is held.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use kedge_api::Kind;
use kedge_machinery::{Status, json};
use kedge_registry::Page;
use kedge_store::Entry;
use serde_json::Value;

use super::items::Items;
use super::{Answer, GZIP_FROM, Reply, gzip, mark_packed, pretty, text};
use crate::negotiate::Encoding;

/// What a chunk grows to before it is sent.
const CHUNK: usize = 28 << 10;
/// Room for a chunk, with the object that goes beyond: as large a block as a thread keeps for the next one.
const ROOM: usize = 32 << 10;

impl Reply {
    /// A page as a list.
    pub(crate) fn list(self, kind: &Kind, page: Page, items: Items) -> Result<Answer, Status> {
        if self.media.encoding == Encoding::Protobuf {
            return self.messages(kind, &page, &items);
        }
        let layout = match (self.media.encoding, self.pretty) {
            (Encoding::Yaml, _) => Layout::Yaml,
            (Encoding::Json, true) => Layout::Pretty,
            _ => Layout::Compact,
        };
        let size: usize = page.items.iter().map(|entry| entry.size()).sum();
        let list = List::new(kind, page, items, layout)?;
        if size < CHUNK {
            let all: Vec<Bytes> = list.collect();
            return Ok(text(StatusCode::OK, self.content_type(), all.concat()));
        }
        if self.gzip && size >= GZIP_FROM {
            let packed = gzip::Chunks::new(list).map(Ok::<_, std::io::Error>);
            let mut answer = text(
                StatusCode::OK,
                self.content_type(),
                Body::from_stream(stream::iter(packed)),
            );
            mark_packed(&mut answer);
            return Ok(answer);
        }
        let body = Body::from_stream(stream::iter(list.map(Ok::<_, std::io::Error>)));
        Ok(text(StatusCode::OK, self.content_type(), body))
    }
}

/// How a list is written.
#[derive(Clone, Copy)]
enum Layout {
    Compact,
    Pretty,
    Yaml,
}

impl Layout {
    /// Everything up to the first item.
    fn head(self, envelope: &Value, key: &str, empty: bool) -> Result<String, Status> {
        Ok(match self {
            Self::Compact => {
                let text = envelope.to_string();
                format!("{},\"{key}\":[", &text[..text.len() - 1])
            }
            Self::Pretty => {
                let text = json::pretty(envelope);
                format!("{},\n  \"{key}\": [", text[..text.len() - 1].trim_end())
            }
            Self::Yaml => {
                let text = pretty::yaml(envelope)?;
                format!(
                    "{}\n{key}:{}",
                    text.trim_end(),
                    if empty { " []" } else { "" }
                )
            }
        })
    }

    /// What stands before an item.
    fn before(self, first: bool) -> &'static str {
        match (self, first) {
            (Self::Compact, true) => "",
            (Self::Compact, false) => ",",
            (Self::Pretty, true) => "\n    ",
            (Self::Pretty, false) => ",\n    ",
            (Self::Yaml, _) => "\n- ",
        }
    }

    /// Everything after the last item.
    fn tail(self, empty: bool) -> &'static str {
        match (self, empty) {
            (Self::Compact, _) => "]}\n",
            (Self::Pretty, true) => "]\n}",
            (Self::Pretty, false) => "\n  ]\n}",
            (Self::Yaml, _) => "\n",
        }
    }

    fn push(self, out: &mut Vec<u8>, items: &Items, object: &[u8]) {
        if matches!(self, Self::Compact) {
            return items.push(out, object);
        }
        let mut item = Vec::new();
        items.push(&mut item, object);
        // What was written a moment ago can be read, and written again.
        let tree: Value = serde_json::from_slice(&item).unwrap_or_default();
        let text = match self {
            Self::Yaml => pretty::indent(pretty::yaml(&tree).unwrap_or_default().trim_end(), 2),
            _ => pretty::indent(&json::pretty(&tree), 4),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// A page on its way out: an iterator of chunks.
struct List {
    head: String,
    objects: std::vec::IntoIter<Arc<Entry>>,
    items: Items,
    layout: Layout,
    /// Where an object is put together.
    room: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    First,
    Rest,
    Done,
}

impl List {
    fn new(kind: &Kind, page: Page, items: Items, layout: Layout) -> Result<Self, Status> {
        let mut envelope = items.envelope(kind, &page);
        envelope.remove(items.key());
        let head = layout.head(&Value::Object(envelope), items.key(), page.items.is_empty())?;
        Ok(Self {
            head,
            objects: page.items.into_iter(),
            items,
            layout,
            room: Vec::new(),
            state: State::Head,
        })
    }
}

impl Iterator for List {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::with_capacity(ROOM);
        loop {
            match self.state {
                State::Done => return None,
                State::Head => {
                    chunk.extend_from_slice(std::mem::take(&mut self.head).as_bytes());
                    self.state = State::First;
                }
                State::First | State::Rest => {
                    let first = self.state == State::First;
                    let Some(object) = self.objects.next() else {
                        chunk.extend_from_slice(self.layout.tail(first).as_bytes());
                        self.state = State::Done;
                        return Some(chunk.into());
                    };
                    chunk.extend_from_slice(self.layout.before(first).as_bytes());
                    let object = object.value_in(&mut self.room);
                    self.layout.push(&mut chunk, &self.items, object);
                    self.state = State::Rest;
                    if chunk.len() >= CHUNK {
                        return Some(chunk.into());
                    }
                }
            }
        }
    }
}
