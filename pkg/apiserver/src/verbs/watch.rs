//! watch: one JSON document a line, as long as the client stays.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use jiff::Timestamp;
use kedge_api::{Kind, protobuf};
use kedge_machinery::selector::FieldSelector;
use kedge_machinery::{Status, json};
use kedge_registry::table::table;
use kedge_registry::{IncludeObject, TableOptions, Target, WatchEvent, Watcher};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::Ask;
use super::form::{FORMS, metadata_of};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::{Encoding, Form, Forms};
use crate::{members, options};

/// A watch without `timeoutSeconds` ends after this or up to twice this, as upstream's do: clients that watch
/// for ever spread their returns.
const SHORTEST: Duration = Duration::from_secs(1800);

/// Events that are there already share a frame up to this size.
const FRAME: usize = 32 << 10;

pub(super) fn watch(ask: &Ask<'_>) -> Result<Answer, Status> {
    let (mut options, timeout) = options::watch(ask.query())?;
    let streamed = options.send_initial_events == Some(true) && options.allow_bookmarks;
    let forms = if streamed { Forms::NoTable } else { FORMS };
    let reply = Reply::stream(&ask.parts, &ask.target.kind, forms)?;
    let Target {
        kind,
        namespace,
        name,
        ..
    } = &ask.target;
    if !name.is_empty() {
        options.field_selector = of_one(name, &options.field_selector)?;
    }
    let protobuf = reply.media.encoding == Encoding::Protobuf;
    let events = Events {
        form: reply.media.form,
        protobuf,
        kind: Arc::clone(kind),
        include: options::include_object(ask.query())?,
        headed: false,
    };
    let source = match ask.app.registry.watch(kind, namespace, &options) {
        Ok(watcher) => Source::Watcher(watcher),
        // Too old a version is told in the stream, where clients look for it.
        Err(status) if status.code == 410 => {
            Source::Ended(VecDeque::from([WatchEvent::Error(status)]))
        }
        Err(status) => return Err(status),
    };
    let timeout = timeout.map_or_else(unasked_timeout, Duration::from_secs);
    let registry = &ask.app.registry;
    let withdrawn = || Box::pin(registry.clone().withdrawn(Arc::clone(kind))) as Pin<Box<_>>;
    let running = Running {
        source,
        withdrawn: kind.custom.is_some().then(withdrawn),
        events,
        end: Box::pin(tokio::time::sleep(timeout)),
        stopping: ask.app.stopping.clone(),
    };
    let content_type = match protobuf {
        true => "application/vnd.kubernetes.protobuf;stream=watch",
        false => "application/json",
    };
    let body = Body::from_stream(stream::unfold(running, |mut running| async {
        let frame = running.frame().await?;
        Some((Ok::<_, std::io::Error>(frame), running))
    }));
    Ok(answer::text(StatusCode::OK, content_type, body))
}

/// The selector of a watch of one object: what the client selects by beside must name it too.
fn of_one(name: &str, selector: &str) -> Result<String, Status> {
    if selector.is_empty() {
        return Ok(format!("metadata.name={name}"));
    }
    let parsed = FieldSelector::parse(selector).map_err(|e| Status::bad_request(e.to_string()))?;
    let named = parsed
        .requirements()
        .iter()
        .find_map(|(field, equals, value)| {
            (*equals && field == "metadata.name").then_some(value.as_str())
        });
    match named == Some(name) {
        true => Ok(selector.into()),
        false => Err(Status::bad_request(
            "fieldSelector metadata.name doesn't match requested name",
        )),
    }
}

fn unasked_timeout() -> Duration {
    // A fresh hasher's seed is chance enough.
    let chance = RandomState::new().hash_one(0u8) % SHORTEST.as_secs();
    SHORTEST + Duration::from_secs(chance)
}

enum Source {
    Watcher(Watcher),
    Ended(VecDeque<WatchEvent>),
}

impl Source {
    async fn next(&mut self) -> Option<WatchEvent> {
        match self {
            Self::Watcher(watcher) => watcher.next().await,
            Self::Ended(left) => left.pop_front(),
        }
    }

    fn try_next(&mut self) -> Option<WatchEvent> {
        match self {
            Self::Watcher(watcher) => watcher.try_next(),
            Self::Ended(left) => left.pop_front(),
        }
    }
}

struct Running {
    source: Source,
    events: Events,
    end: Pin<Box<Sleep>>,
    stopping: CancellationToken,
    /// Of a custom kind: until its definition is another, so that clients ask what is there now.
    withdrawn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Running {
    /// The next event and those behind it; `None` when the watch is over.
    async fn frame(&mut self) -> Option<Bytes> {
        let withdrawn = async {
            match &mut self.withdrawn {
                Some(withdrawn) => withdrawn.await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            event = self.source.next() => event?,
            () = withdrawn => return None,
            () = &mut self.end => return None,
            () = self.stopping.cancelled() => return None,
        };
        let mut frame = Vec::new();
        self.events.push(&mut frame, event);
        while frame.len() < FRAME {
            match self.source.try_next() {
                Some(event) => self.events.push(&mut frame, event),
                None => break,
            }
        }
        Some(frame.into())
    }
}

/// Events in the form and the encoding that were negotiated: lines of JSON, or messages behind their length.
struct Events {
    form: Form,
    protobuf: bool,
    kind: Arc<Kind>,
    include: IncludeObject,
    /// A table's columns are told once.
    headed: bool,
}

impl Events {
    fn push(&mut self, out: &mut Vec<u8>, event: WatchEvent) {
        let (name, object) = match event {
            WatchEvent::Added(object) => ("ADDED", object),
            WatchEvent::Modified(object) => ("MODIFIED", object),
            WatchEvent::Deleted(object) => ("DELETED", object),
            WatchEvent::Bookmark {
                revision,
                initial_end,
            } => ("BOOKMARK", self.bookmark(revision, initial_end)),
            WatchEvent::Error(status) => {
                return self.write(out, "ERROR", status.to_json().to_string().as_bytes());
            }
        };
        match self.form {
            Form::Itself => self.write(out, name, &object),
            Form::PartialMetadata(version) => {
                let mut partial = Vec::new();
                members::push_partial(&mut partial, &object, version);
                self.write(out, name, &partial);
            }
            Form::Table(version) => {
                let options = TableOptions {
                    version,
                    include: self.include,
                    now: Timestamp::now(),
                };
                let rows = std::iter::once(object.as_ref());
                let table = table(
                    &self.kind,
                    rows,
                    metadata_of(&object),
                    options,
                    !self.headed,
                );
                self.headed = true;
                self.write(out, name, &json::bytes(&table));
            }
        }
    }

    /// One event of an object, given as its JSON.
    fn write(&self, out: &mut Vec<u8>, name: &str, object: &[u8]) {
        if !self.protobuf {
            return line(out, name, object);
        }
        match protobuf::encode(object) {
            Ok(message) => protobuf::event(out, name, &message),
            // No stored object of a kind that has messages is without one: it was checked when it was written.
            Err(error) => tracing::error!(%error, kind = self.kind.kind, "an event is left out"),
        }
    }

    /// An object of the kind with nothing but the revision (KEP-956), and the mark of KEP-3157.
    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object: Value = json!({ "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata });
        object.to_string().into()
    }
}

fn line(out: &mut Vec<u8>, name: &str, object: &[u8]) {
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(br#"","object":"#);
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
}
