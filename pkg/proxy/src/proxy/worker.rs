//! The thread that speaks netlink. The kernel answers at once, but not without work: 180 ms for
//! 30,000 Services.

use std::net::IpAddr;
use std::sync::{Arc, mpsc};

use kedge_client::Change;
use tokio::sync::oneshot;

use super::engine::Engine;
use crate::config::ProxyConfig;
use crate::error::Error;
use crate::kernel::Netlink;

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Work {
    Apply(Vec<Change>),
    NodeAddresses(Arc<[IpAddr]>),
    /// Compare with the kernel and put right what differs.
    Heal,
    /// The same, if anybody has changed the ruleset since.
    Verify,
}

/// Work and where its result goes: whether the kernel is in step.
type Job = (Work, oneshot::Sender<bool>);

/// A handle on the thread. The thread ends when the handle is dropped.
#[derive(Debug)]
pub struct Worker {
    jobs: mpsc::Sender<Job>,
    port: u32,
}

impl Worker {
    /// Starts the thread, in the network namespace of the calling one.
    pub async fn start(config: ProxyConfig, node_addresses: Arc<[IpAddr]>) -> Result<Self, Error> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let (opened, port) = oneshot::channel();
        let body = move || {
            let kernel = match Netlink::open(config.clone()) {
                Ok(kernel) => kernel,
                Err(error) => {
                    // Whoever waits for it has gone only if nobody needs the thread any more.
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(kernel.port()));
            let mut engine = Engine::new(kernel, config, node_addresses);
            for (work, done) in receiver {
                let result = match work {
                    Work::Apply(changes) => engine.apply(changes),
                    Work::NodeAddresses(addresses) => engine.set_node_addresses(addresses),
                    Work::Heal => engine.heal(),
                    Work::Verify => engine.verify(),
                };
                let _ = done.send(result.is_ok());
            }
        };
        std::thread::Builder::new()
            .name("kedge-proxy".into())
            .spawn(body)
            .map_err(Error::Thread)?;
        let port = port.await.map_err(|_| Error::ThreadEnded)??;
        Ok(Self { jobs, port })
    }

    /// The port of the thread's socket, which events of its transactions carry.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Has something done, and returns whether the kernel is in step after it.
    pub async fn run(&self, work: Work) -> Result<bool, Error> {
        let (done, result) = oneshot::channel();
        self.jobs
            .send((work, done))
            .map_err(|_| Error::ThreadEnded)?;
        result.await.map_err(|_| Error::ThreadEnded)
    }
}
