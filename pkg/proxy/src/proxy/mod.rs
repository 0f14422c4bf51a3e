//! The proxy as a task.

mod asker;
mod engine;
mod health;
mod health_check;
mod job;
mod question;
mod watch;
mod worker;

use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use kedge_client::{Resource, SharedClient};
use prometheus_client::registry::Registry;
use rustix::thread::{MembarrierCommand, membarrier};
use tokio::sync::watch as channel;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::config::ProxyConfig;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::traffic::Collector;
pub use asker::Asker;
pub use health::Health;
use job::{Outcome, Work};
pub use question::Question;
use watch::Watch;
use worker::{Told, Worker};

/// What the rules are made of.
const FOLLOWED: [Resource; 3] = [
    Resource::SERVICES,
    Resource::ENDPOINTSLICES,
    Resource::NODES,
];
/// How long it is until a kernel that refuses is tried again; doubles up to the second. What ends the
/// fault need not be an event, and rules are to be right within a second of it.
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_millis(800);

/// Keeps the kernel's rules what the Services ask for.
pub struct Proxy {
    config: ProxyConfig,
    client: SharedClient,
    node_addresses: channel::Receiver<Arc<[IpAddr]>>,
    added_cidrs: Option<channel::Receiver<Arc<[IpNet]>>>,
    ready: channel::Sender<bool>,
    metrics: Metrics,
    health: Health,
    asker: Asker,
}

impl Proxy {
    /// A proxy that follows `client`. `node_addresses` are those that node ports may be open on.
    #[must_use]
    pub fn new(
        config: ProxyConfig,
        client: SharedClient,
        node_addresses: channel::Receiver<Arc<[IpAddr]>>,
    ) -> Self {
        let metrics = Metrics::default();
        Self {
            config,
            client,
            node_addresses,
            added_cidrs: None,
            ready: channel::Sender::new(false),
            health: Health::new(metrics.clone()),
            metrics,
            asker: Asker::default(),
        }
    }

    /// With ranges of cluster IPs beside those of the configuration, as they come and go.
    #[must_use]
    pub fn with_added_cidrs(self, ranges: channel::Receiver<Arc<[IpNet]>>) -> Self {
        Self {
            added_cidrs: Some(ranges),
            ..self
        }
    }

    /// Names what is measured while it runs.
    pub fn measure(&self, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(Collector::new(self.asker.clone())));
    }

    /// Whether rules are in step, told over HTTP.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Becomes true once the kernel has held all rules for the first time, and stays so.
    #[must_use]
    pub fn ready(&self) -> channel::Receiver<bool> {
        self.ready.subscribe()
    }

    /// All ranges of cluster IPs, as they are now.
    fn service_cidrs(&mut self) -> Vec<IpNet> {
        let added = self.added_cidrs.as_mut();
        let added = added.map(|ranges| ranges.borrow_and_update().to_vec());
        [self.config.service_cidrs.clone(), added.unwrap_or_default()].concat()
    }

    /// Runs until `shutdown` is done. The rules stay in the kernel: a restart takes them over,
    /// [`crate::cleanup`] removes them.
    ///
    /// # Errors
    /// Without netlink (no permission, no nf_tables) nothing works: [`Error::Kernel`]. Transactions that are refused later are no
    /// errors here; they are said in the log and tried again.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let mut shutdown = pin!(shutdown);
        let addresses = self.node_addresses.borrow_and_update().clone();
        let health_answers = channel::Sender::default();
        let mut health_checks = pin!(health_check::run(
            health_answers.subscribe(),
            self.health.clone()
        ));
        let told = Told {
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            health_answers,
        };
        let mut config = self.config.clone();
        config.service_cidrs = self.service_cidrs();
        let worker = Worker::start(config, addresses, told, self.asker.clone()).await?;
        let mut feed = self.client.feed(&FOLLOWED);
        let mut retry = Retry::default();
        // Who watches makes the kernel tell of each element, a page of memory for each until all are told: so not while
        // all of them are written.
        let mut watch: Option<Watch> = None;
        let mut passing: Option<JoinHandle<()>> = None;
        loop {
            let touched = async {
                match &mut watch {
                    Some(watch) => watch.touched().await,
                    None => pending().await,
                }
            };
            let passed = async {
                match &mut passing {
                    Some(passing) => drop(passing.await),
                    None => pending().await,
                }
            };
            let work = tokio::select! {
                () = &mut shutdown => return Ok(()),
                // It goes on as long as the worker does.
                () = &mut health_checks => return Err(Error::ThreadEnded),
                batch = feed.next_batch() => Work::Apply(batch.map_err(|status| Error::Feed(Box::new(status)))?),
                // Whoever follows addresses and ranges may have ended: they stay as they are.
                Ok(()) = self.node_addresses.changed() => {
                    Work::NodeAddresses(self.node_addresses.borrow_and_update().clone())
                }
                Some(()) = async { self.added_cidrs.as_mut()?.changed().await.ok() } => {
                    Work::ServiceCidrs(self.service_cidrs())
                }
                touched = touched => {
                    if let Err(error) = touched {
                        tracing::warn!("watching the ruleset anew: {error}");
                        watch = Some(Watch::open(worker.port())?);
                    }
                    Work::Heal
                }
                () = retry.due() => Work::Heal,
                () = passed => {
                    passing = None;
                    Work::Settle
                }
            };
            if matches!(
                work,
                Work::Apply(_) | Work::NodeAddresses(_) | Work::ServiceCidrs(_)
            ) {
                self.health.queued();
            }
            let writes_all = match work {
                Work::Apply(_) => watch.is_none(),
                Work::Heal => watch.is_some(),
                _ => false,
            };
            let settles = matches!(work, Work::Settle);
            if writes_all {
                watch = None;
            }
            let mut outcome = worker.run(work).await?;
            if writes_all {
                watch = Some(Watch::open(worker.port())?);
                // Out of step, all is read again in a moment.
                if outcome.in_step {
                    let verified = worker.run(Work::Verify).await?;
                    outcome = Outcome {
                        in_step: verified.in_step,
                        settle: outcome.settle || verified.settle,
                    };
                }
            }
            let Outcome { in_step, settle } = outcome;
            if settle {
                passing = Some(spawn_blocking(wait_for_packets));
            }
            // What waits to be tried again is not put off by it.
            if !settles || !retry.waits() {
                retry.after(in_step);
            }
            // Before the first batch there is nothing to be in step with.
            if watch.is_some() {
                self.ready
                    .send_if_modified(|ready| in_step && !std::mem::replace(ready, true));
            }
        }
    }
}

/// Returns once every packet has passed that was in the rules: the kernel waits for all that read what RCU
/// protects, as rules do. A kernel that cannot wait for it (one with `nohz_full`) returns at once.
fn wait_for_packets() {
    if let Err(error) = membarrier(MembarrierCommand::Global) {
        tracing::debug!("cannot wait for packets that are on their way: {error}");
    }
}

/// When a kernel that refused is tried again without any other reason.
#[derive(Debug, Default)]
struct Retry(Option<(Instant, Duration)>);

impl Retry {
    /// Comes when it is time; never, if there is nothing to try again.
    async fn due(&self) {
        match self.0 {
            Some((at, _)) => sleep_until(at).await,
            None => pending().await,
        }
    }

    fn waits(&self) -> bool {
        self.0.is_some()
    }

    fn after(&mut self, in_step: bool) {
        let wait = self.0.map_or(RETRY, |(_, wait)| (wait * 2).min(RETRY_MAX));
        self.0 = (!in_step).then(|| (Instant::now() + wait, wait));
    }
}
