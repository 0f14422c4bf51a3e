//! Lists and watch events as they come over the wire, items left as the bytes that they are.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use kedge_machinery::Status;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An object of a list or an event: what a reflector must know of it, and its JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub namespace: String,
    pub name: String,
    pub resource_version: String,
    pub json: Bytes,
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page {
    pub items: Vec<Item>,
    pub resource_version: String,
    /// The token of the next page; empty on the last.
    pub next: String,
}

/// An event of a watch.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    Put(Item),
    Delete(Item),
    /// How far the watch has come.
    Bookmark(String),
    /// The watch is over: the server's reason.
    Error(Status),
}

#[derive(Deserialize)]
struct ListView<'a> {
    #[serde(borrow, default)]
    metadata: ListMeta<'a>,
    /// An empty list of some servers is `null`.
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ListMeta<'a> {
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
    #[serde(borrow, default, rename = "continue")]
    next: Cow<'a, str>,
}

#[derive(Deserialize)]
struct EventView<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct ObjectView<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    resource_version: Cow<'a, str>,
}

#[derive(Deserialize)]
struct StatusView {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

/// Reads a list. Items share its bytes.
pub(super) fn page(body: &Bytes) -> Result<Page, serde_json::Error> {
    let view: ListView<'_> = serde_json::from_slice(body)?;
    let items = view.items.unwrap_or_default();
    Ok(Page {
        items: items
            .into_iter()
            .map(|raw| item(body, raw))
            .collect::<Result<_, _>>()?,
        resource_version: view.metadata.resource_version.into_owned(),
        next: view.metadata.next.into_owned(),
    })
}

/// Reads a line of a watch.
pub(super) fn event(line: &Bytes) -> Result<Event, serde_json::Error> {
    let view: EventView<'_> = serde_json::from_slice(line)?;
    Ok(match &*view.kind {
        "ERROR" => {
            let status: StatusView = serde_json::from_str(view.object.get())?;
            Event::Error(match status.code {
                410 => Status::expired(status.message),
                _ => Status::internal(status.message),
            })
        }
        "BOOKMARK" => Event::Bookmark(item(line, view.object)?.resource_version),
        "DELETED" => Event::Delete(item(line, view.object)?),
        _ => Event::Put(item(line, view.object)?),
    })
}

fn item(whole: &Bytes, raw: &RawValue) -> Result<Item, serde_json::Error> {
    let ObjectView { metadata } = serde_json::from_str(raw.get())?;
    Ok(Item {
        namespace: metadata.namespace.into_owned(),
        name: metadata.name.into_owned(),
        resource_version: metadata.resource_version.into_owned(),
        json: whole.slice_ref(raw.get().as_bytes()),
    })
}

/// Pieces into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: BytesMut,
    /// How much of the rest was looked at already and holds no end of line.
    seen: usize,
}

impl Lines {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
    }

    /// The next whole line, without its end; empty ones are passed over.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        loop {
            let unseen = self.rest.get(self.seen..)?;
            let Some(end) = unseen.iter().position(|byte| *byte == b'\n') else {
                self.seen = self.rest.len();
                return None;
            };
            let line = self.rest.split_to(self.seen + end + 1).freeze();
            self.seen = 0;
            let line = line.slice(..line.len() - 1);
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_items_as_they_stand() {
        let body = Bytes::from_static(
            br#"{"kind":"ServiceList","metadata":{"resourceVersion":"7","continue":"t"},
                "items":[{"metadata":{"name":"a","namespace":"n","resourceVersion":"5"}, "x":1}]}"#,
        );
        let page = page(&body).unwrap();
        assert_eq!((&*page.resource_version, &*page.next), ("7", "t"));
        let [item] = &page.items[..] else {
            panic!("{page:?}")
        };
        assert_eq!(
            (&*item.namespace, &*item.name, &*item.resource_version),
            ("n", "a", "5")
        );
        assert!(item.json.ends_with(b" \"x\":1}"));
    }

    #[test]
    fn an_empty_list_may_be_null() {
        let body = Bytes::from_static(br#"{"metadata":{"resourceVersion":"7"},"items":null}"#);
        assert!(page(&body).unwrap().items.is_empty());
    }

    #[test]
    fn events_are_told_apart() {
        let read = |line: &'static str| event(&Bytes::from_static(line.as_bytes())).unwrap();
        let put = read(r#"{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}"#);
        assert!(matches!(put, Event::Put(item) if item.name == "a"));
        let gone = read(r#"{"type":"DELETED","object":{"metadata":{"name":"a"}}}"#);
        assert!(matches!(gone, Event::Delete(_)));
        let far = read(r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#);
        assert_eq!(far, Event::Bookmark("9".into()));
        let over =
            read(r#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"old"}}"#);
        assert!(matches!(over, Event::Error(status) if status.code == 410));
    }

    #[test]
    fn lines_are_put_together_from_any_pieces() {
        let text = b"one\n\ntwo\nthree";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.next() {
                    got.push(line);
                }
            }
            assert_eq!(got, ["one", "two"], "pieces of {size}");
        }
    }
}
