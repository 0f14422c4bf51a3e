//! The thread that speaks netlink. The kernel answers at once, but not without work: 180 ms for
//! 30,000 Services.

use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::asker::Asker;
use super::engine::Engine;
use super::health::Health;
use super::health_check::Answers;
use super::job::{Job, Outcome, Work};
use crate::config::ProxyConfig;
use crate::error::Error;
use crate::kernel::{Kernel, Netlink};
use crate::metrics::Metrics;

/// Whom the thread tells what became of its work.
#[derive(Debug, Clone)]
pub struct Told {
    pub metrics: Metrics,
    pub health: Health,
    pub health_answers: watch::Sender<Answers>,
}

fn carry_out<K: Kernel>(work: Work, engine: &mut Engine<K>, told: &Told) -> Outcome {
    let Told {
        metrics, health, ..
    } = told;
    let begun = Instant::now();
    // What went wrong has been said, and the round tells that it did.
    let _ = match work {
        Work::Apply(changes) => {
            metrics.queued(&changes);
            engine.apply(changes)
        }
        Work::NodeAddresses(addresses) => engine.set_node_addresses(addresses),
        Work::ServiceCidrs(cidrs) => engine.set_service_cidrs(cidrs),
        Work::Heal => engine.heal(),
        Work::Verify => engine.verify(),
        Work::Settle => engine.settle(),
    };
    let round = engine.round();
    metrics.synced(&round, begun.elapsed());
    if round.in_step {
        for (family, at) in &round.triggers {
            metrics.programmed(*family, *at);
        }
        health.updated();
    }
    health.node(engine.node_is_eligible());
    // Only what the rules do is told.
    if round.in_step
        && let Some(answers) = engine.health_answers()
    {
        told.health_answers.send_if_modified(|present| {
            let differs = *present != answers;
            *present = answers;
            differs
        });
    }
    Outcome {
        in_step: round.in_step,
        settle: engine.begin_settling(),
    }
}

/// A handle on the thread. The thread ends when the handle is dropped.
#[derive(Debug)]
pub struct Worker {
    jobs: mpsc::Sender<Job>,
    port: u32,
    asker: Asker,
}

impl Drop for Worker {
    /// The thread ends with the last who could ask it.
    fn drop(&mut self) {
        self.asker.set(None);
    }
}

impl Worker {
    /// Starts the thread, in the network namespace of the calling one.
    pub async fn start(
        config: ProxyConfig,
        node_addresses: Arc<[IpAddr]>,
        told: Told,
        asker: Asker,
    ) -> Result<Self, Error> {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let (opened, port) = oneshot::channel();
        let body = move || {
            let kernel = match Netlink::open(config.clone(), told.metrics.clone()) {
                Ok(kernel) => kernel,
                Err(error) => {
                    // Whoever waits for it has gone only if nobody needs the thread any more.
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(kernel.port()));
            let mut engine = Engine::new(kernel, config, node_addresses);
            for job in receiver {
                // Whoever asked may have gone.
                let _ = match job {
                    Job::Work(work, done) => {
                        done.send(carry_out(work, &mut engine, &told)).map_err(drop)
                    }
                    Job::Question(question, answer) => {
                        answer.send(engine.answer(question)).map_err(drop)
                    }
                };
            }
        };
        std::thread::Builder::new()
            .name("kedge-proxy".into())
            .spawn(body)
            .map_err(Error::Thread)?;
        let port = port.await.map_err(|_| Error::ThreadEnded)??;
        asker.set(Some(jobs.clone()));
        Ok(Self { jobs, port, asker })
    }

    /// The port of the thread's socket, which events of its transactions carry.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Has something done.
    pub async fn run(&self, work: Work) -> Result<Outcome, Error> {
        let (done, result) = oneshot::channel();
        self.jobs
            .send(Job::Work(work, done))
            .map_err(|_| Error::ThreadEnded)?;
        result.await.map_err(|_| Error::ThreadEnded)
    }
}
