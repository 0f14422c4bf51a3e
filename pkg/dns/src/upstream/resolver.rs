//! Who is asked for a name, what is remembered, and what serves when nobody answers.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::cache::{Cache, Known};
use super::loops::Probes;
use super::race::race;
use super::resolv_conf::{self, Watch};
use super::server::Server;
use super::tls::Authorities;
use super::wish::Upstream;
use crate::message::{Answered, Asked};
use crate::metrics::Metrics;
use crate::name::WireName;

/// How long an answer is waited for when one whose time is over could serve (RFC 8767, 5: the client response timer).
const PATIENCE_WITH_STALE: Duration = Duration::from_millis(1800);

/// Which resolvers there are.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of the configuration. While none of them is for every name, `resolv_conf` says who is.
    pub upstreams: Vec<Upstream>,
    /// The system's `resolv.conf`.
    pub resolv_conf: PathBuf,
    /// Certificates of authorities for DNS over TLS (PEM); without, those that the system trusts.
    pub tls_authorities: Option<PathBuf>,
}

/// What memory has to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Cached {
    /// The answer, as it is now.
    Answer(Vec<u8>),
    /// Nobody answered lately, and nothing is remembered.
    Failed,
    /// Somebody must be asked.
    Ask,
}

type Servers = Arc<[Arc<Server>]>;
type Flight = Arc<OnceCell<Option<Arc<Answered>>>>;

/// The resolvers, and what they said.
#[derive(Debug)]
pub struct Resolvers {
    options: Options,
    own: IpAddr,
    metrics: Metrics,
    authorities: Arc<Authorities>,
    /// By domain, the longest first; the root is not among them.
    domains: Vec<(WireName, Servers)>,
    everything: RwLock<Servers>,
    probes: Arc<Probes>,
    cache: Mutex<Cache>,
    /// Questions that are being asked: who asks the same waits for the same answer.
    flights: Mutex<HashMap<Asked, Flight>>,
    begun: Instant,
}

impl Resolvers {
    /// `own` is our own address: a file that names it would have us ask ourselves.
    #[must_use]
    pub fn new(options: Options, own: IpAddr, metrics: Metrics) -> Self {
        let authorities = Arc::new(Authorities::new(options.tls_authorities.clone()));
        let mut by_domain: Vec<(WireName, Vec<Arc<Server>>)> = Vec::new();
        for upstream in &options.upstreams {
            let server = Arc::new(Server::new(upstream, &authorities, metrics.clone()));
            match by_domain.iter_mut().find(|(d, _)| *d == upstream.domain) {
                Some((_, servers)) if servers.iter().any(|s| s.address() == upstream.address) => {}
                Some((_, servers)) => servers.push(server),
                None => by_domain.push((upstream.domain, vec![server])),
            }
        }
        by_domain.sort_by_key(|(domain, _)| std::cmp::Reverse(domain.as_bytes().len()));
        let root = WireName::root();
        let everything = by_domain
            .iter()
            .position(|(domain, _)| *domain == root)
            .map(|at| by_domain.remove(at).1);
        let domains = by_domain.into_iter().map(|(d, s)| (d, s.into())).collect();
        let resolvers = Self {
            options,
            own,
            metrics,
            authorities,
            domains,
            everything: RwLock::default(),
            probes: Arc::default(),
            cache: Mutex::default(),
            flights: Mutex::default(),
            begun: Instant::now(),
        };
        match everything {
            Some(servers) => resolvers.set(servers.into()),
            None => resolvers.read_file(),
        }
        resolvers
    }

    /// Follows `resolv.conf` where it has a say; never ends.
    pub async fn follow(&self) {
        let root = WireName::root();
        if self.options.upstreams.iter().any(|u| u.domain == root) {
            return std::future::pending().await;
        }
        let file = &self.options.resolv_conf;
        let error = match Watch::new(file) {
            Ok(mut watch) => {
                // Between the first reading and the watch it may have changed.
                self.read_file();
                loop {
                    match watch.changed().await {
                        Ok(()) => self.read_file(),
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        tracing::warn!(
            "cannot watch {}: {error}; a change of it will count after a restart, --dns-upstream names resolvers without it",
            file.display()
        );
        std::future::pending().await
    }

    fn read_file(&self) {
        let text = std::fs::read_to_string(&self.options.resolv_conf).unwrap_or_default();
        let named = resolv_conf::parse(&text, self.own);
        let known = self.everything();
        let before: Vec<IpAddr> = known.iter().map(|s| s.address().ip()).collect();
        if before == named {
            return;
        }
        tracing::info!(resolvers = ?named, "names that are not the cluster's are asked of");
        let server = |address: IpAddr| {
            let upstream = Upstream {
                domain: WireName::root(),
                address: SocketAddr::new(address, 53),
                tls: None,
            };
            Arc::new(Server::new(
                &upstream,
                &self.authorities,
                self.metrics.clone(),
            ))
        };
        self.set(named.into_iter().map(server).collect());
        let now = self.now();
        self.cache().recover(now);
    }

    fn set(&self, servers: Servers) {
        *self
            .everything
            .write()
            .unwrap_or_else(PoisonError::into_inner) = servers;
    }

    fn everything(&self) -> Servers {
        let servers = self
            .everything
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        servers.clone()
    }

    fn servers(&self, name: &WireName) -> Servers {
        let mut domains = self.domains.iter();
        match domains.find(|(domain, _)| name.is_within(domain.as_bytes())) {
            Some((_, servers)) => servers.clone(),
            None => self.everything(),
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Asked, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds of a clock that never goes back.
    fn now(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }

    /// True for a question of our own that came back: who sent it is asked no more.
    #[must_use]
    pub fn is_own(&self, name: &WireName) -> bool {
        self.probes.is_own(name)
    }

    /// What is remembered, at once.
    #[must_use]
    pub fn cached(&self, asked: &Asked) -> Cached {
        let now = self.now();
        let known = self.cache().get(asked, now);
        match known {
            Known::Fresh(answer, age) | Known::Failed(Some((answer, age))) => {
                Cached::Answer(answer.aged(age))
            }
            Known::Failed(None) => Cached::Failed,
            Known::Ask(_) => Cached::Ask,
        }
    }

    /// Answers and failures that are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.cache().len()
    }

    /// Asks who knows; `None` when nobody does and nothing is remembered.
    pub async fn resolve(&self, asked: &Asked) -> Option<Vec<u8>> {
        let now = self.now();
        let stale = match self.cache().get(asked, now) {
            Known::Fresh(answer, age) => return Some(answer.aged(age)),
            Known::Failed(stale) | Known::Ask(stale) => stale,
        };
        let flight = self.flights().entry(asked.clone()).or_default().clone();
        let asking = flight.get_or_init(|| self.ask(asked));
        let answer = match &stale {
            None => asking.await.clone(),
            Some(_) => match timeout(PATIENCE_WITH_STALE, asking).await {
                Ok(answer) => answer.clone(),
                Err(_) => {
                    let now = self.now();
                    self.cache().failed(asked, now);
                    None
                }
            },
        };
        self.flights().remove(asked);
        match (answer, stale) {
            (Some(answer), _) => Some(answer.aged(0)),
            (None, Some((stale, age))) => Some(stale.aged(age)),
            (None, None) => None,
        }
    }

    async fn ask(&self, asked: &Asked) -> Option<Arc<Answered>> {
        let servers = self.servers(&asked.name);
        servers
            .iter()
            .filter(|server| server.is_usable())
            .for_each(|server| self.probes.send(server));
        let failing = servers
            .iter()
            .any(|server| server.health().is_down(Instant::now()));
        let answer = race(&servers, asked).await.map(Arc::new);
        let now = self.now();
        let mut cache = self.cache();
        match &answer {
            Some(answer) => {
                if failing {
                    cache.recover(now);
                }
                if !answer.is_truncated() {
                    cache.answered(asked, answer.clone(), now);
                }
            }
            None => cache.failed(asked, now),
        }
        answer
    }
}
