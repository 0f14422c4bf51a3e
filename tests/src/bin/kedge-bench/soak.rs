//! Random changes, random kills and constant traffic; at the end the kernel holds what the objects ask for, nothing has
//! leaked and no connection has failed.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use kedge_tests::ask;
use kedge_tests::lab::{Lab, NODE, PODS, PORT};
use kedge_tests::process;
use kedge_tests::server::{Server, kedge};
use kedge_tests::tool::{ToolError, run as run_tool};
use serde_json::{Value, json};

use crate::exchange::exchange;
use crate::{other, print};

/// Services that come, change and go, beside the one that is asked all the time.
const SERVICES: u64 = 50;
/// Changes between two kills, on average.
const CHANGES_PER_KILL: u64 = 20;
const STEADY: Ipv4Addr = Ipv4Addr::new(10, 43, 250, 1);
const LAST: Ipv4Addr = Ipv4Addr::new(10, 43, 250, 2);
const FLAGS: [&str; 8] = [
    "--node-name",
    "node",
    "--node-ip",
    NODE[0],
    "--service-cidr",
    "10.43.0.0/16",
    "--cluster-cidr",
    "10.42.0.0/16",
];
/// Bytes that a process may have more after a third of the time than before it: what the heap does by chance.
const GROWTH: f64 = 3e6;
/// What the proxy logs when it writes more than a change.
const WRITTEN: &str = "elements written to the kernel";

/// Runs for so long and prints what came of it; an error if anything is wrong at the end.
pub fn run(seconds: u64) -> Result<(), ToolError> {
    let seed = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_err(other)?
        .subsec_nanos();
    println!("random changes, kills and constant traffic for {seconds} s; seed {seed}\n");
    let lab = Lab::new()?;
    let mut soak = Soak {
        server: Some(lab.server(&FLAGS)?),
        lab: &lab,
        random: Random(seed.into()),
        changes: 0,
        kills: 0,
        live: vec![false; SERVICES as usize],
    };
    soak.apply(&[service("steady", STEADY), slice("steady", 7)])?;
    let (stop, made, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let memory = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            lab.pods[0].enter(|| {
                while !stop.load(Ordering::Relaxed) {
                    made.fetch_add(1, Ordering::Relaxed);
                    if exchange((STEADY, 80).into()).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        let changed = soak.thirds(Duration::from_secs(seconds) / 3);
        stop.store(true, Ordering::Relaxed);
        let connected = traffic
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        connected.and(changed)
    });
    let [before, after] = memory?;
    let surplus = soak.surplus()?;
    soak.empty()?;
    let leaked = soak.elements()?;
    let (made, failed) = (made.into_inner(), failed.into_inner());
    print("changes", &soak.changes.to_string(), "");
    print("kill -9 of the server", &soak.kills.to_string(), "");
    print("connections", &made.to_string(), "");
    print("  that failed", &failed.to_string(), "0");
    print(
        "rules that differ from the objects at the end",
        &surplus.to_string(),
        "0",
    );
    print(
        "elements of Services that are gone",
        &leaked.to_string(),
        "0",
    );
    print(
        "memory of a process, two thirds through and at the end",
        &format!("{:.1} / {:.1} MB", before / 1e6, after / 1e6),
        &format!("{:.0} MB more at most", GROWTH / 1e6),
    );
    match (failed, surplus, leaked) {
        (0, 0, 0) if made > 0 && after - before <= GROWTH => Ok(()),
        _ => Err(other("something is not as it should be")),
    }
}

struct Soak<'a> {
    server: Option<Server>,
    lab: &'a Lab,
    random: Random,
    changes: u64,
    kills: u64,
    live: Vec<bool>,
}

impl Soak<'_> {
    /// A third of the time with kills, a third in which a process fills what it keeps of late changes, a third over which its
    /// memory must not grow: bytes of it before and after that.
    fn thirds(&mut self, third: Duration) -> Result<[f64; 2], ToolError> {
        let steps = |soak: &mut Self, kills: bool| -> Result<(), ToolError> {
            let end = Instant::now() + third;
            while Instant::now() < end {
                soak.step(kills)?;
            }
            Ok(())
        };
        steps(self, true)?;
        self.restart()?;
        steps(self, false)?;
        let before = self.memory()?;
        steps(self, false)?;
        Ok([before, self.memory()?])
    }

    /// One change, or now and then a kill.
    fn step(&mut self, kills: bool) -> Result<(), ToolError> {
        if kills && self.random.below(CHANGES_PER_KILL) == 0 {
            self.kills += 1;
            return self.restart();
        }
        self.changes += 1;
        let number = self.random.below(SERVICES);
        let name = format!("svc-{number}");
        // The one that is asked has always somebody to answer.
        let some = 1 + self.random.below(7);
        let any = self.random.below(8);
        let live = self.live[number as usize];
        match self.random.below(4) {
            0 => self.apply(&[slice("steady", some)]),
            1 if live => {
                self.live[number as usize] = false;
                self.delete(&name)
            }
            _ => {
                self.live[number as usize] = true;
                let address = Ipv4Addr::new(10, 43, 200, number as u8);
                self.apply(&[service(&name, address), slice(&name, any)])
            }
        }
    }

    /// `kill -9`, and another start on the same data.
    fn restart(&mut self) -> Result<(), ToolError> {
        if let Some(server) = self.server.take() {
            server.kill();
        }
        self.server = Some(self.lab.server(&FLAGS)?);
        Ok(())
    }

    /// Deletes what comes and goes.
    fn empty(&mut self) -> Result<(), ToolError> {
        for number in 0..self.live.len() {
            if std::mem::take(&mut self.live[number]) {
                self.delete(&format!("svc-{number}"))?;
            }
        }
        // Who starts answers only once the kernel holds what is left.
        self.restart()
    }

    /// 1 if a process that starts finds other rules than it would make.
    fn surplus(&mut self) -> Result<u64, ToolError> {
        let count = |server: &Option<Server>| {
            let log = server.as_ref().map(Server::log).unwrap_or_default();
            log.lines().filter(|line| line.contains(WRITTEN)).count() as u64
        };
        // Changes reach the kernel in their order: once this one has, all have.
        self.apply(&[service("last", LAST), slice("last", 7)])?;
        ask::until_connected(&self.lab.pods[0], (LAST, 80).into()).map_err(other)?;
        let before = count(&self.server);
        self.restart()?;
        Ok(count(&self.server) - before)
    }

    /// Addresses of Services that come and go, in the kernel's sets.
    fn elements(&self) -> Result<u64, ToolError> {
        let listed = run_tool(
            self.lab
                .node
                .command("nft")
                .args(["list", "table", "ip", "kedge"]),
        )?;
        Ok(listed.matches("10.43.200.").count() as u64)
    }

    fn memory(&self) -> Result<f64, ToolError> {
        let pid = self.server.as_ref().map_or(0, Server::pid);
        Ok(process::cost(pid).map_err(other)?.rss as f64 * 1024.0)
    }

    fn apply(&self, objects: &[Value]) -> Result<(), ToolError> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        self.kedge(&["apply", "-f", "-"], &list)
    }

    fn delete(&self, name: &str) -> Result<(), ToolError> {
        self.kedge(&["delete", "endpointslice", &format!("{name}-x")], "")?;
        self.kedge(&["delete", "service", name], "")
    }

    fn kedge(&self, words: &[&str], input: &str) -> Result<(), ToolError> {
        let kubeconfig = self.lab.data().join("kubeconfig.yaml");
        kedge(&self.lab.node, &kubeconfig, words, input).map(drop)
    }
}

fn service(name: &str, address: Ipv4Addr) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": address, "ports": [
            {"name": "tcp", "port": 80, "targetPort": PORT},
            {"name": "udp", "protocol": "UDP", "port": 80, "targetPort": PORT},
        ]},
    })
}

/// The slice of a Service; each bit of `pods` is one of the lab's.
fn slice(service: &str, pods: u64) -> Value {
    let endpoints: Vec<Value> = PODS
        .iter()
        .enumerate()
        .filter(|(bit, _)| pods >> bit & 1 == 1)
        .map(|(_, pod)| json!({"addresses": [pod[0]], "conditions": {"ready": true}, "nodeName": "node"}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-x"), "namespace": "default",
                     "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "tcp", "port": PORT, "protocol": "TCP"}, {"name": "udp", "port": PORT, "protocol": "UDP"}],
    })
}

/// xorshift64 (Marsaglia): the same seed, the same soak.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        let mut x = self.0 | 1 << 40;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = x;
        x % bound
    }
}
