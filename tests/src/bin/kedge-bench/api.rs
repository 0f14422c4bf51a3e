//! What the API bears: writes, reads, lists, watches, and the memory that it takes for them.
//!
//! The generator is two threads in the server's network namespace: sockets on loopback, TLS, requests built before the
//! clock starts. It shares the machine's cores with the server, so each line says what either took.

mod etcd;
mod lists;
mod objects;
mod python;
mod watchers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use kedge_tests::connection::{Ask, Endpoint, Version};
use kedge_tests::lab::Lab;
use kedge_tests::process;
use kedge_tests::server::Server;
use kedge_tests::site::FLAGS;
use kedge_tests::tool::ToolError;

use crate::load::{Load, Outcome};
use crate::{other, print};

/// Threads that ask. With one, a server that has answered everybody waits for it, and a core with it.
const THREADS: usize = 2;
/// Connections of every load.
const CONNECTIONS: usize = 64;
/// From a load to when the server is at rest.
const REST: Duration = Duration::from_secs(1);
/// The longest that one load lasts.
const LONGEST: Duration = Duration::from_secs(15);
/// Watchers of one change, and changes: enough that one slow write does not make the figure.
const WATCHERS: usize = 1000;
const CHANGES: usize = 200;

const VERSIONS: [(Version, &str); 2] = [(Version::Http1, "HTTP/1.1"), (Version::Http2, "HTTP/2")];

/// Prints the figures of a server with `objects` Services and as many EndpointSlices.
pub fn run(objects: usize) -> Result<(), ToolError> {
    println!(
        "the API, everything on: DNS, load balancer, proxy; {CONNECTIONS} connections over TLS, client and server on this machine\n"
    );
    let lab = Lab::new()?;
    let server = lab.server(&FLAGS)?;
    let endpoint = Endpoint::new(&server.kubeconfig())?;
    let bench = Bench {
        endpoint: Arc::new(endpoint),
        server: &server,
        objects,
        node: lab.data(),
    };
    lab.node.enter(|| bench.run())??;
    match python::creates(&lab.node, &server.kubeconfig(), server.pid())? {
        Some(creates) => {
            let what = "durable creates of ConfigMaps, Python clients";
            print(what, &creates.rate(), "348/s by kube-apiserver");
            println!("    {}", creates.details());
        }
        None => println!("  no Python client here: set KEDGE_PYTHON to an interpreter that has it"),
    }
    let puts = objects * 2;
    match etcd::puts(&lab.node, puts, CONNECTIONS, LONGEST)? {
        Some(outcome) => print(
            "etcd of the distribution, same objects, without TLS",
            &outcome.rate(),
            "",
        ),
        None => println!("  no etcd here to compare with: install etcd-server, or set ETCD"),
    }
    server.stop()
}

struct Bench<'a> {
    endpoint: Arc<Endpoint>,
    server: &'a Server,
    objects: usize,
    node: PathBuf,
}

impl Bench<'_> {
    fn run(&self) -> Result<(), ToolError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .map_err(other)?
            .block_on(self.all())
    }

    async fn all(&self) -> Result<(), ToolError> {
        let count = self.objects;
        let empty = self.memory()?;
        let creates = |path: &'static str, body: fn(usize) -> String| {
            move |index: usize| Ask::json(Method::POST, path, body(index))
        };
        let services = creates(objects::SERVICES, objects::service);
        let outcome = self.load(Version::Http1, count, services).await?;
        self.print("durable creates of Services", &outcome, "");
        let slices = creates(objects::SLICES, objects::slice);
        let outcome = self.load(Version::Http1, count, slices).await?;
        self.print("durable creates of EndpointSlices", &outcome, "");
        let peak = self.memory()?.peak;
        // What the load left is given back a moment after it.
        tokio::time::sleep(REST).await;
        let full = self.memory()?;
        print(
            &format!("resident memory with {count} Services and EndpointSlices"),
            &megabytes(full.rss),
            "under 100 MB",
        );
        print("  with none", &megabytes(empty.rss), "");
        print("  at its most so far", &megabytes(peak), "");

        for (version, word) in VERSIONS {
            let outcome = self
                .load(version, 10 * count, |index| {
                    Ask::get(format!("{}/svc-{}", objects::SERVICES, index * 7 % count))
                })
                .await?;
            self.print(
                &format!("gets of Services, {word}"),
                &outcome,
                "25,000/s or more",
            );
        }
        lists::run(&self.endpoint, count).await?;
        for (what, patch) in objects::PATCHES {
            let outcome = self
                .load(Version::Http1, count, |index| patch(index % count, index))
                .await?;
            self.print(what, &outcome, "");
        }
        for (version, word) in VERSIONS {
            self.watchers(version, word).await?;
        }
        for (version, word) in VERSIONS {
            let offset = if version == Version::Http1 {
                0
            } else {
                2 * count
            };
            let make = |index| creates(objects::CONFIGMAPS, objects::configmap)(index + offset);
            let outcome = self.load(version, 2 * count, make).await?;
            self.print(
                &format!("durable creates of ConfigMaps, {word}"),
                &outcome,
                "8,000/s or more",
            );
        }
        Ok(())
    }

    async fn watchers(&self, version: Version, word: &str) -> Result<(), ToolError> {
        let before = self.memory()?;
        let seen = watchers::run(
            &self.endpoint,
            self.server.pid(),
            version,
            WATCHERS,
            CHANGES,
        )
        .await?;
        let open = self.memory()?;
        print(
            &format!("{WATCHERS} watchers see a change, {word}, 99 %"),
            &milliseconds(seen.times.at(0.99)),
            "under 20 ms",
        );
        println!("    {}", seen.details());
        print("  the last of them", &milliseconds(seen.times.at(1.0)), "");
        print(
            "  resident memory with them, and before",
            &format!("{} / {}", megabytes(open.rss), megabytes(before.rss)),
            "",
        );
        Ok(())
    }

    async fn load(
        &self,
        version: Version,
        count: usize,
        make: impl Fn(usize) -> Ask,
    ) -> Result<Outcome, ToolError> {
        let load = Load {
            count,
            connections: CONNECTIONS,
            longest: LONGEST,
            pid: self.server.pid(),
        };
        load.run(&self.endpoint, version, make).await
    }

    fn memory(&self) -> Result<process::Cost, ToolError> {
        process::cost(self.server.pid())
            .map_err(|error| other(format!("{}: {error}", self.node.display())))
    }

    fn print(&self, what: &str, outcome: &Outcome, bound: &str) {
        print(what, &outcome.rate(), bound);
        println!("    {}", outcome.details());
    }
}

fn megabytes(kilobytes: u64) -> String {
    format!("{:.1} MB", kilobytes as f64 / 1024.0)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
