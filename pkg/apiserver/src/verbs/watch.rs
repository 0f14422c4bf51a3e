//! watch: one JSON document a line, as long as the client stays.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::ACCEPT;
use jiff::Timestamp;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::table::table;
use kedge_registry::{IncludeObject, Target, WatchEvent, Watcher};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::Ask;
use super::form::{FORMS, metadata_of};
use crate::answer::{self, Answer, Reply};
use crate::negotiate::{Encoding, Form};
use crate::{members, options, refusal};

/// A watch without `timeoutSeconds` ends after this or up to twice this, as upstream's do: clients that watch
/// for ever spread their returns.
const SHORTEST: Duration = Duration::from_secs(1800);

/// Events that are there already share a frame up to this size.
const FRAME: usize = 32 << 10;

pub(super) fn watch(ask: &Ask<'_>) -> Result<Answer, Status> {
    let reply = Reply::negotiate(&ask.parts, &FORMS)?;
    // A stream of YAML documents is nothing that clients know.
    if reply.media.encoding != Encoding::Json {
        return Err(refusal::not_acceptable());
    }
    let (mut options, timeout) = options::watch(ask.query())?;
    let Target {
        kind,
        namespace,
        name,
        ..
    } = &ask.target;
    if !name.is_empty() && options.field_selector.is_empty() {
        options.field_selector = format!("metadata.name={name}");
    }
    let form = Lines {
        form: reply.media.form,
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
    let running = Running {
        source,
        lines: form,
        end: Box::pin(tokio::time::sleep(timeout)),
        stopping: ask.app.stopping.clone(),
    };
    let content_type = match answer::header(&ask.parts.headers, ACCEPT).contains("stream=watch") {
        true => "application/json;stream=watch",
        false => "application/json",
    };
    let body = Body::from_stream(stream::unfold(running, |mut running| async {
        let frame = running.frame().await?;
        Some((Ok::<_, std::io::Error>(frame), running))
    }));
    Ok(answer::text(StatusCode::OK, content_type, body))
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
    lines: Lines,
    end: Pin<Box<Sleep>>,
    stopping: CancellationToken,
}

impl Running {
    /// The next event and those behind it; `None` when the watch is over.
    async fn frame(&mut self) -> Option<Bytes> {
        let event = tokio::select! {
            event = self.source.next() => event?,
            () = &mut self.end => return None,
            () = self.stopping.cancelled() => return None,
        };
        let mut frame = Vec::new();
        self.lines.push(&mut frame, event);
        while frame.len() < FRAME {
            match self.source.try_next() {
                Some(event) => self.lines.push(&mut frame, event),
                None => break,
            }
        }
        Some(frame.into())
    }
}

/// Events as lines, in the form that was negotiated.
struct Lines {
    form: Form,
    kind: Arc<Kind>,
    include: IncludeObject,
    /// A table's columns are told once.
    headed: bool,
}

impl Lines {
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
                let status = Bytes::from(status.to_json().to_string());
                return line(out, "ERROR", |out| out.extend_from_slice(&status));
            }
        };
        match self.form {
            Form::Itself => line(out, name, |out| out.extend_from_slice(&object)),
            Form::PartialMetadata => line(out, name, |out| members::push_partial(out, &object)),
            Form::Table => {
                let rows = std::iter::once(object.as_ref());
                let table = table(
                    &self.kind,
                    rows,
                    metadata_of(&object),
                    Timestamp::now(),
                    self.include,
                    !self.headed,
                );
                self.headed = true;
                line(out, name, |out| {
                    out.extend_from_slice(table.to_string().as_bytes())
                });
            }
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

fn line(out: &mut Vec<u8>, name: &str, object: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(br#"","object":"#);
    object(out);
    out.extend_from_slice(b"}\n");
}
