//! Many watchers of one change, each with a connection of its own, as controllers and agents have.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kedge_tests::connection::{Ask, Connection, Endpoint, Version};
use kedge_tests::tool::ToolError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::objects;
use crate::load::{Outcome, Times, usage};
use crate::other;

/// A watcher's connection, and the stream of its events.
type Open = (Connection, Incoming);

/// From sending each of `changes` to its arrival at each of `watchers`; the CPU is that of an event.
pub async fn run(
    endpoint: &Arc<Endpoint>,
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
    let (told, mut seen) = mpsc::unbounded_channel();
    // Their connections end with this.
    let mut open = JoinSet::new();
    for _ in 0..watchers {
        let mut connection = endpoint.connect(version).await?;
        let body = connection.open(&Ask::get(&*path)).await?.into_body();
        open.spawn(follow((connection, body), told.clone()));
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
        for _ in 0..watchers {
            let at = seen.recv().await.ok_or_else(|| other("a watch ended"))?;
            times.push(at.saturating_duration_since(sent));
        }
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

/// Tells when each event is there; ends with the watch, or when nobody listens any more.
async fn follow((connection, mut body): Open, told: mpsc::UnboundedSender<Instant>) {
    while let Some(Ok(frame)) = body.frame().await {
        let lines = frame.data_ref().map_or(0, |data: &Bytes| {
            data.iter().filter(|byte| **byte == b'\n').count()
        });
        for _ in 0..lines {
            if told.send(Instant::now()).is_err() {
                return;
            }
        }
    }
    drop(connection);
}
