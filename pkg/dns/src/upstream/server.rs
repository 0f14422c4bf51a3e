//! One resolver: where it is, how it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::base::iana::Rcode;
use tokio::time::timeout;

use super::exchange;
use super::health::Health;
use super::tls::{Authorities, Secure};
use super::wish::Upstream;
use crate::message::{Answered, Asked};
use crate::metrics::Metrics;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    secure: Option<Secure>,
    metrics: Metrics,
    health: Mutex<Health>,
    /// It leads back here: never asked.
    looped: AtomicBool,
    /// It was found out whether it does.
    probed: AtomicBool,
}

impl Server {
    pub fn new(upstream: &Upstream, authorities: &Arc<Authorities>, metrics: Metrics) -> Self {
        let (address, tls) = (upstream.address, upstream.tls.as_ref());
        Self {
            address,
            secure: tls.map(|name| Secure::new(address, name.as_deref(), authorities.clone())),
            metrics,
            health: Mutex::default(),
            looped: AtomicBool::new(false),
            probed: AtomicBool::new(false),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_usable(&self) -> bool {
        !self.looped.load(Ordering::Relaxed)
    }

    /// Marks it as one that leads back here; true the first time.
    pub fn set_looped(&self) -> bool {
        !self.looped.swap(true, Ordering::Relaxed)
    }

    /// True for the first who asks, until [`Self::probe_again`].
    pub fn begin_probe(&self) -> bool {
        !self.probed.swap(true, Ordering::Relaxed)
    }

    pub fn probe_again(&self) {
        self.probed.store(false, Ordering::Relaxed);
    }

    /// Asks, and takes note of how it went. An answer that says no more than that there is none is a failure.
    pub async fn ask(&self, asked: &Asked) -> Option<Answered> {
        let begun = Instant::now();
        let asking = async {
            match &self.secure {
                Some(secure) => secure.ask(self.address, asked).await,
                None => exchange::plain(self.address, asked).await,
            }
        };
        let outcome = timeout(PATIENCE, asking).await;
        let took = begun.elapsed();
        let rcode = match &outcome {
            Ok(Ok(answer)) => Some(answer.rcode()),
            _ => None,
        };
        self.metrics.asked(self.address, rcode, took);
        let why = match outcome {
            Ok(Ok(answer)) if [Rcode::NOERROR, Rcode::NXDOMAIN].contains(&answer.rcode()) => {
                self.health().answered(took);
                return Some(answer);
            }
            // It is there, so others need not be preferred, but of this name it knows nothing.
            Ok(Ok(answer)) => answer.rcode().to_string(),
            Ok(Err(error)) => {
                self.health().failed(Instant::now());
                error.to_string()
            }
            Err(_) => {
                self.health().failed(Instant::now());
                "no answer in time".into()
            }
        };
        tracing::debug!(server = %self.address, name = %asked.name, why, "a resolver did not help");
        None
    }
}
