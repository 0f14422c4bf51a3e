//! etcd beside: the same number of puts of the same objects from as many connections. It speaks gRPC (HTTP/2, each
//! message behind a flag and its length), here without TLS.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kedge_tests::netns::Netns;
use kedge_tests::process;
use kedge_tests::readiness::{NOTIFY_SOCKET, Readiness};
use kedge_tests::tool::ToolError;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::objects;
use crate::load::{Outcome, Times};
use crate::other;

/// Where it listens, in a namespace where nothing else does.
const ADDRESS: &str = "127.0.0.1:2379";

/// `None` where there is no etcd.
pub fn puts(
    netns: &Netns,
    count: usize,
    connections: usize,
    longest: Duration,
) -> Result<Option<Outcome>, ToolError> {
    let Some(program) = find() else {
        return Ok(None);
    };
    let folder = tempfile::tempdir().map_err(other)?;
    let readiness = Readiness::listen(&folder.path().join("notify")).map_err(other)?;
    let child = netns
        .command(program)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .env(NOTIFY_SOCKET, readiness.path())
        .args(["--log-level", "error", "--logger", "zap"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(other)?;
    let etcd = Running(child);
    if !readiness.wait(&etcd.0).map_err(other)? {
        return Err(other("etcd does not serve"));
    }
    let pid = etcd.0.id();
    let outcome = netns.enter(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(other)?
            .block_on(load(pid, count, connections, longest))
    })??;
    Ok(Some(outcome))
}

/// `$ETCD`, else the first of the PATH.
fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ETCD") {
        return Some(path.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("etcd"))
        .find(|path| path.is_file())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn load(
    pid: u32,
    count: usize,
    connections: usize,
    longest: Duration,
) -> Result<Outcome, ToolError> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(connect().await?);
    }
    let mut shares: Vec<Vec<Bytes>> = vec![Vec::new(); connections];
    for index in 0..count {
        let key = format!("/registry/configmaps/default/map-{index}");
        shares[index % connections].push(message(&key, &objects::configmap(index)));
    }
    let ticks = |pid| {
        process::cost(pid)
            .map(|cost| cost.ticks as f64 / 100.0)
            .map_err(other)
    };
    let before = (ticks(pid)?, ticks(std::process::id())?);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (share, mut sender) in shares.into_iter().zip(senders) {
        tasks.spawn(async move {
            let mut times = Vec::with_capacity(share.len());
            for message in share {
                let sent = Instant::now();
                if begun.elapsed() > longest {
                    break;
                }
                put(&mut sender, message).await?;
                times.push(sent.elapsed());
            }
            Ok::<_, ToolError>(times)
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        times.extend(done.map_err(other)??);
    }
    let elapsed = begun.elapsed();
    let (server, client) = (
        ticks(pid)? - before.0,
        ticks(std::process::id())? - before.1,
    );
    Ok(Outcome::new(Times::new(times), elapsed, server, client))
}

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect() -> Result<Sender, ToolError> {
    let stream = TcpStream::connect(ADDRESS).await.map_err(other)?;
    stream.set_nodelay(true).map_err(other)?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(other)?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn put(sender: &mut Sender, message: Bytes) -> Result<(), ToolError> {
    let mut request = Request::new(Full::new(message));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("http://127.0.0.1:2379/etcdserverpb.KV/Put");
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    sender.ready().await.map_err(other)?;
    let answer = sender.send_request(request).await.map_err(other)?;
    let code = |headers: &http::HeaderMap| headers.get("grpc-status").cloned();
    let early = code(answer.headers());
    let collected = answer.into_body().collect().await.map_err(other)?;
    let code = early.or_else(|| collected.trailers().and_then(code));
    match code {
        Some(code) if code == "0" => Ok(()),
        code => Err(other(format!("etcd refused a put: {code:?}"))),
    }
}

/// `PutRequest` of etcd's `rpc.proto`: the key is field 1, the value field 2, both bytes.
fn message(key: &str, value: &str) -> Bytes {
    let mut fields = Vec::new();
    for (tag, bytes) in [(0x0a, key), (0x12, value)] {
        fields.push(tag);
        let mut length = bytes.len();
        while length >= 0x80 {
            fields.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        fields.push(length as u8);
        fields.extend_from_slice(bytes.as_bytes());
    }
    let mut message = vec![0];
    message.extend_from_slice(&(fields.len() as u32).to_be_bytes());
    message.extend_from_slice(&fields);
    message.into()
}
