//! Many watchers of one change, each with a connection of its own, as controllers and agents have.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kedge_tests::connection::{Ask, Connection, Endpoint, Version};
use kedge_tests::tool::ToolError;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::objects;
use crate::load::{Outcome, Times, usage};
use crate::other;
use crate::wire::{Wire, request};

/// A watcher's connection, and the stream of its events.
enum Watch {
    Http1(Box<Wire>),
    Http2 {
        body: Incoming,
        /// It ends with this.
        _connection: Connection,
    },
}

/// From sending each of `changes` to its arrival at each of `watchers`; the CPU is that of an event.
pub async fn run(
    endpoint: &Endpoint,
    server: u32,
    version: Version,
    watchers: usize,
    changes: usize,
) -> Result<Outcome, ToolError> {
    let name = match version {
        Version::Http1 => "watched",
        Version::Http2 => "watched2",
    };
    let path = format!(
        "{}?watch=true&fieldSelector=metadata.name%3D{name}",
        objects::CONFIGMAPS
    );
    let round = Arc::new(Round::new(watchers));
    // Their connections end with this.
    let mut open = JoinSet::new();
    for _ in 0..watchers {
        let watch = Watch::open(endpoint, version, &Ask::get(&*path)).await?;
        open.spawn(watch.follow(Arc::clone(&round)));
    }
    let mut writer = endpoint.connect(Version::Http1).await?;
    let object = |turn: usize| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"turn": turn.to_string()}
        })
        .to_string()
    };
    let mut times = Vec::with_capacity(watchers * changes);
    let before = usage(server)?;
    let begun = Instant::now();
    for turn in 0..changes {
        let ask = if turn == 0 {
            Ask::json(Method::POST, objects::CONFIGMAPS, object(turn))
        } else {
            let path = format!("{}/{name}", objects::CONFIGMAPS);
            Ask::json(Method::PUT, path, object(turn))
        };
        let sent = Instant::now();
        writer.send(&ask).await?;
        let seen = round.all().await?;
        times.extend(seen.iter().map(|at| at.saturating_duration_since(sent)));
    }
    let (elapsed, after) = (begun.elapsed(), usage(server)?);
    let times = Times::new(times);
    Ok(Outcome::new(
        times,
        elapsed,
        after.0 - before.0,
        after.1 - before.1,
    ))
}

impl Watch {
    async fn open(endpoint: &Endpoint, version: Version, ask: &Ask) -> Result<Self, ToolError> {
        match version {
            Version::Http1 => {
                let mut wire = Wire::connect(endpoint).await?;
                wire.open(&request(endpoint, ask)).await?;
                Ok(Self::Http1(Box::new(wire)))
            }
            Version::Http2 => {
                let mut connection = endpoint.connect(version).await?;
                Ok(Self::Http2 {
                    body: connection.open(ask).await?.into_body(),
                    _connection: connection,
                })
            }
        }
    }

    /// Tells when each event is there; ends with the watch.
    async fn follow(mut self, round: Arc<Round>) {
        let mut last = 0;
        while let Some(bytes) = self.next().await {
            for _ in 0..ends(&mut last, &bytes) {
                round.saw();
            }
        }
        round.ended();
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Http1(wire) => wire.next().await.ok().map(Into::into),
            Self::Http2 { body, .. } => {
                let frame = body.frame().await?.ok()?;
                Some(frame.into_data().unwrap_or_default())
            }
        }
    }
}

/// Events that end in these bytes, of a stream whose `last` byte before them is kept. Each is an object and a line break,
/// which the lengths of chunks are not.
fn ends(last: &mut u8, bytes: &[u8]) -> usize {
    bytes
        .iter()
        .filter(|byte| std::mem::replace(last, **byte) == b'}' && **byte == b'\n')
        .count()
}

/// When the watchers saw the change that is under way. The last of them wakes who waits, and no other.
struct Round {
    watchers: usize,
    seen: Mutex<Vec<Instant>>,
    all: Notify,
}

impl Round {
    fn new(watchers: usize) -> Self {
        Self {
            watchers,
            seen: Mutex::default(),
            all: Notify::new(),
        }
    }

    fn saw(&self) {
        let mut seen = self.seen();
        seen.push(Instant::now());
        if seen.len() == self.watchers {
            self.all.notify_one();
        }
    }

    fn ended(&self) {
        self.all.notify_one();
    }

    /// Waits until all have seen it, and begins the next.
    async fn all(&self) -> Result<Vec<Instant>, ToolError> {
        self.all.notified().await;
        let seen = std::mem::take(&mut *self.seen());
        if seen.len() < self.watchers {
            return Err(other("a watch ended"));
        }
        Ok(seen)
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
