//! A load: so many requests over so many connections, each connection asking again when it was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kedge_tests::connection::{Ask, Connection, Endpoint, Version};
use kedge_tests::process;
use kedge_tests::tool::ToolError;
use tokio::task::JoinSet;

use crate::other;
use crate::wire::{self, Wire};

/// Ticks of the kernel's clock in a second, as `/proc/PID/stat` counts them.
const TICKS: f64 = 100.0;

pub struct Load {
    pub count: usize,
    pub connections: usize,
    /// When the time is over, the rest is left out.
    pub longest: Duration,
    /// The server's process.
    pub pid: u32,
}

/// What came of a load.
pub struct Outcome {
    pub times: Times,
    elapsed: Duration,
    /// Seconds of CPU of the server and of the generator.
    server: f64,
    client: f64,
}

/// Times of single requests, shortest first.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that this part of the requests, from 0 to 1, stayed within.
    pub fn at(&self, part: f64) -> Duration {
        let index = (self.0.len() as f64 * part) as usize;
        self.0
            .get(index.min(self.0.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Seconds of CPU that the server's process and this one have used.
pub fn usage(server: u32) -> Result<(f64, f64), ToolError> {
    let seconds = |pid| process::cost(pid).map(|cost| cost.ticks as f64 / TICKS);
    let both = (seconds(server), seconds(std::process::id()));
    Ok((both.0.map_err(other)?, both.1.map_err(other)?))
}

/// Who sends requests of a load, one after the other.
trait Caller: Sized + Send + 'static {
    type Request: Send + Sync + 'static;

    async fn connect(endpoint: &Endpoint) -> Result<Self, ToolError>;

    /// As this sends it.
    fn request(endpoint: &Endpoint, ask: Ask) -> Self::Request;

    /// Returns once the whole answer is there; an answer of 400 and more is an error.
    fn call(
        &mut self,
        request: &Self::Request,
    ) -> impl Future<Output = Result<(), ToolError>> + Send;
}

impl Caller for Wire {
    type Request = Vec<u8>;

    async fn connect(endpoint: &Endpoint) -> Result<Self, ToolError> {
        Self::connect(endpoint).await
    }

    fn request(endpoint: &Endpoint, ask: Ask) -> Vec<u8> {
        wire::request(endpoint, &ask)
    }

    async fn call(&mut self, request: &Vec<u8>) -> Result<(), ToolError> {
        self.exchange(request).await
    }
}

impl Caller for Connection {
    type Request = Ask;

    async fn connect(endpoint: &Endpoint) -> Result<Self, ToolError> {
        endpoint.connect(Version::Http2).await
    }

    fn request(_: &Endpoint, ask: Ask) -> Ask {
        ask
    }

    async fn call(&mut self, request: &Ask) -> Result<(), ToolError> {
        self.send(request).await.map(drop)
    }
}

impl Load {
    /// Runs it; `make` gives the requests, which are built before the clock starts.
    pub async fn run(
        &self,
        endpoint: &Endpoint,
        version: Version,
        make: impl Fn(usize) -> Ask,
    ) -> Result<Outcome, ToolError> {
        match version {
            Version::Http1 => self.drive::<Wire>(endpoint, make).await,
            Version::Http2 => self.drive::<Connection>(endpoint, make).await,
        }
    }

    async fn drive<C: Caller>(
        &self,
        endpoint: &Endpoint,
        make: impl Fn(usize) -> Ask,
    ) -> Result<Outcome, ToolError> {
        let requests: Arc<[C::Request]> = (0..self.count)
            .map(|index| C::request(endpoint, make(index)))
            .collect();
        let mut callers = Vec::new();
        for _ in 0..self.connections {
            callers.push(C::connect(endpoint).await?);
        }
        // Who is answered takes the next one, so that all connections are at work to the end.
        let next = Arc::new(AtomicUsize::new(0));
        let before = usage(self.pid)?;
        let begun = Instant::now();
        let until = begun + self.longest;
        let mut tasks = JoinSet::new();
        for mut caller in callers {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tasks.spawn(async move {
                let mut times = Vec::new();
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    if sent > until {
                        break;
                    }
                    caller.call(request).await?;
                    times.push(sent.elapsed());
                }
                Ok::<_, ToolError>(times)
            });
        }
        let mut times = Vec::with_capacity(self.count);
        while let Some(done) = tasks.join_next().await {
            times.extend(done.map_err(other)??);
        }
        let elapsed = begun.elapsed();
        let after = usage(self.pid)?;
        Ok(Outcome {
            times: Times::new(times),
            elapsed,
            server: after.0 - before.0,
            client: after.1 - before.1,
        })
    }
}

impl Outcome {
    pub fn new(times: Times, elapsed: Duration, server: f64, client: f64) -> Self {
        Self {
            times,
            elapsed,
            server,
            client,
        }
    }

    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn rate(&self) -> String {
        format!("{:.0}/s", self.per_second())
    }

    /// Times, and the CPU of either side for one request.
    pub fn details(&self) -> String {
        let each = |seconds: f64| seconds * 1e6 / self.times.len().max(1) as f64;
        format!(
            "{} in {:.1} s, median {:.2} ms, 99 % {:.2} ms; CPU a request: server {:.0} us, client {:.0} us",
            self.times.len(),
            self.elapsed.as_secs_f64(),
            self.times.at(0.5).as_secs_f64() * 1e3,
            self.times.at(0.99).as_secs_f64() * 1e3,
            each(self.server),
            each(self.client)
        )
    }
}
