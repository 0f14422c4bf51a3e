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

use super::objects;
use crate::load::Times;
use crate::other;

/// A watcher's connection, and the stream of its events.
type Open = (Connection, Incoming);

/// From sending each of `changes` to its arrival at each of `watchers`.
pub async fn run(
    endpoint: &Arc<Endpoint>,
    watchers: usize,
    changes: usize,
) -> Result<Times, ToolError> {
    let name = "watched";
    let path = format!(
        "{}?watch=true&fieldSelector=metadata.name%3D{name}",
        objects::CONFIGMAPS
    );
    let (told, mut seen) = mpsc::unbounded_channel();
    for _ in 0..watchers {
        let mut connection = endpoint.connect(Version::Http2).await?;
        let body = connection.open(&Ask::get(&*path)).await?.into_body();
        tokio::spawn(follow((connection, body), told.clone()));
    }
    let mut writer = endpoint.connect(Version::Http1).await?;
    let object = |turn: usize| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"turn": turn.to_string()}
        })
        .to_string()
    };
    let mut times = Vec::with_capacity(watchers * changes);
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
    Ok(Times::new(times))
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
