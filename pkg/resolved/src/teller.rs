//! Tells resolved, whenever it has to be told.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::bus::{Bus, Error, Link};

/// Pauses before trying again: with a link that resolved does not know yet, and with a bus that went away.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(240),
];

/// What resolved is to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the cluster's names are asked.
    pub servers: Vec<IpAddr>,
    /// These names and all below them; see [`crate::domains`].
    pub domains: Vec<String>,
}

/// Follows resolved and the link. [`Teller::run`] does the work.
pub struct Teller {
    settings: Settings,
    link: watch::Receiver<Option<Link>>,
    found: watch::Sender<bool>,
}

impl Teller {
    /// `link`: the link that the settings are for, while it works.
    #[must_use]
    pub fn new(settings: Settings, link: watch::Receiver<Option<Link>>) -> Self {
        Self {
            settings,
            link,
            found: watch::Sender::new(false),
        }
    }

    /// Turns true once resolved was seen.
    #[must_use]
    pub fn found(&self) -> watch::Receiver<bool> {
        self.found.subscribe()
    }

    /// Works until `shutdown`. What resolved was told stays.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.work() => {}
        }
    }

    /// Never ends.
    async fn work(&mut self) {
        let mut pauses = PAUSES.iter();
        loop {
            match Bus::connect().await {
                Ok((bus, there)) => {
                    pauses = PAUSES.iter();
                    self.follow(bus, there).await;
                }
                // A machine without a bus has no resolved; one whose bus went away gets it back, or is about to end.
                Err(error) if !*self.found.borrow() => {
                    info!("{error}; systemd-resolved is not told of the cluster's names");
                    return std::future::pending().await;
                }
                Err(error) => tracing::debug!("{error}"),
            }
            let Some(pause) = pauses.next() else {
                warn!("the system's message bus is gone; restart kedge once it is back");
                return std::future::pending().await;
            };
            tokio::time::sleep(*pause).await;
        }
    }

    /// Until the bus is gone.
    async fn follow(&mut self, mut bus: Bus, mut there: bool) {
        if !there {
            info!(
                "systemd-resolved does not run here; once it does, it is told of the cluster's names"
            );
        }
        let mut told = None;
        let mut pauses = PAUSES.iter();
        loop {
            if there {
                self.found.send_replace(true);
            }
            let link = self.link.borrow_and_update().clone();
            let untold = link.filter(|link| there && told.as_ref() != Some(link));
            let pause = match untold {
                None => None,
                Some(link) => match self.tell(&bus, &link).await {
                    Err(Error::NoLink(_)) if pauses.len() > 0 => pauses.next(),
                    outcome => {
                        told = Some(link);
                        self.log(outcome);
                        None
                    }
                },
            };
            tokio::select! {
                now = bus.next() => match now {
                    Some(now) => (there, told, pauses) = (now, None, PAUSES.iter()),
                    None => return,
                },
                () = changed(&mut self.link) => {}
                () = after(pause) => {}
            }
        }
    }

    async fn tell(&self, bus: &Bus, link: &Link) -> Result<(), Error> {
        let Settings { servers, domains } = &self.settings;
        bus.set(link, servers, domains).await
    }

    fn log(&self, outcome: Result<(), Error>) {
        let Settings { servers, domains } = &self.settings;
        match outcome {
            Ok(()) => info!(
                ?servers,
                ?domains,
                "systemd-resolved knows the cluster's names"
            ),
            Err(error) => warn!(
                "{error}; programs on this machine do not find the cluster's names by systemd-resolved (--disable resolved leaves it alone)"
            ),
        }
    }
}

async fn changed(link: &mut watch::Receiver<Option<Link>>) {
    if link.changed().await.is_err() {
        std::future::pending().await
    }
}

async fn after(pause: Option<&Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(*pause).await,
        None => std::future::pending().await,
    }
}
