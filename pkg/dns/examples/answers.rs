//! Answers a second and memory of the model, without sockets; then, with a port, a server of those names.
//!
//!     answers SERVICES              figures of the model alone
//!     answers SERVICES ADDR:PORT    and then serves them, until its input ends
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::base::{MessageBuilder, Name, Rtype};
use kedge_client::{BoxFuture, Change, Client, Feed, ObjectKey, Resource, SharedClient};
use kedge_dns::message::{Query, Reply, Scratch, Transport, respond};
use kedge_dns::name::WireName;
use kedge_dns::zone::{Update, Zone};
use kedge_dns::{Clients, Config, Options, Server};
use kedge_machinery::{Object, Status};
use serde_json::json;
use tokio::sync::watch;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let services: u32 = words.first().map_or(Ok(10_000), |word| word.parse())?;
    match words.get(1) {
        None => model(services)?,
        Some(address) => serve(services, address.parse()?)?,
    }
    Ok(())
}

fn change(resource: Resource, name: String, object: serde_json::Value) -> Change {
    Change {
        key: ObjectKey {
            resource,
            namespace: "shop".into(),
            name,
        },
        object: Some(object.to_string().into()),
    }
}

/// A Service and its slice of three endpoints, as a cluster has them.
fn objects(i: u32) -> [Change; 2] {
    let [_, _, high, low] = i.to_be_bytes();
    let third = i >> 16 & 0x3f;
    let name = format!("service-{i}");
    let service = json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "ClusterIP", "clusterIP": format!("10.{}.{high}.{low}", 64 + third),
                 "ports": [{"name": "http", "protocol": "TCP", "port": 80}]},
    });
    let endpoints: Vec<_> = (0..3)
        .map(|n| json!({"addresses": [format!("10.{}.{high}.{low}", 128 + n)], "conditions": {"ready": true}}))
        .collect();
    let slice = json!({
        "metadata": {"name": format!("{name}-x7k2p"), "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    });
    [
        change(Resource::SERVICES, name.clone(), service),
        change(Resource::ENDPOINTSLICES, format!("{name}-x7k2p"), slice),
    ]
}

/// Octets of memory that the process has.
fn resident() -> Result<i64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/statm")?;
    let pages: i64 = status
        .split_whitespace()
        .nth(1)
        .ok_or("no statm")?
        .parse()?;
    Ok(pages * 4096)
}

fn model(services: u32) -> Result<(), Box<dyn Error>> {
    let origin = WireName::parse("cluster.local").ok_or("no name")?;
    let before = resident()?;
    let mut zone = Zone::new(&origin, "10.43.0.10".parse()?, Vec::new(), 1);
    let begun = Instant::now();
    for change in (0..services).flat_map(objects) {
        if let Some(update) = Update::read(change) {
            zone.take(update);
        }
    }
    println!(
        "{services} Services and slices of 3 endpoints: {:.1} MB, read in {:.0} ms",
        (resident()? - before) as f64 / 1e6,
        begun.elapsed().as_secs_f64() * 1e3,
    );
    let questions = (0..services.min(1000)).map(|i| question(i * 7 % services));
    let questions = questions.collect::<Result<Vec<_>, _>>()?;
    let mut scratch = Scratch::default();
    let (begun, mut answers) = (Instant::now(), 0u32);
    while begun.elapsed() < Duration::from_secs(2) {
        for bytes in &questions {
            let query = Query::parse(bytes, Transport::Udp).map_err(|e| format!("{e:?}"))?;
            if let Reply::Written(_) = respond(&query, &zone, &mut scratch) {
                answers += 1;
            }
        }
    }
    let each = begun.elapsed().as_nanos() as f64 / f64::from(answers.max(1));
    println!("an answer takes {each:.0} ns without the kernel");
    Ok(())
}

fn question(i: u32) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    let name: Name<Vec<u8>> = format!("service-{i}.shop.svc.cluster.local").parse()?;
    question.push((name, Rtype::A)).map_err(|e| e.to_string())?;
    Ok(question.finish())
}

/// As the product has it: two threads, of which one serves the socket.
fn serve(services: u32, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client: SharedClient = Arc::new(Fixed(services));
        let (_lan, lan) = watch::channel(Arc::from([]));
        let server = Server::bind(
            Config {
                address,
                domain: "cluster.local".into(),
                reverse: Vec::new(),
                hosts: Vec::new(),
                clients: Clients {
                    cluster: vec!["0.0.0.0/0".parse()?],
                    lan,
                    named: Vec::new(),
                    rate_limit: None,
                },
                resolvers: Options::default(),
            },
            &client,
        )?;
        let end = async {
            let read = || std::io::stdin().read_to_string(&mut String::new());
            let _ = tokio::task::spawn_blocking(read).await;
        };
        server.run(end).await.map_err(|e| e.to_string())?;
        Ok(())
    })
}

struct Fixed(u32);

struct Once(Option<u32>);

impl Feed for Once {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        let first = self.0.take();
        Box::pin(async move {
            match first {
                Some(services) => Ok((0..services).flat_map(objects).collect()),
                None => std::future::pending().await,
            }
        })
    }
}

fn none<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, Status>> {
    Box::pin(std::future::ready(Err(Status::not_found("", "", ""))))
}

impl Client for Fixed {
    fn feed(&self, _: &[Resource]) -> Box<dyn Feed> {
        Box::new(Once(Some(self.0)))
    }

    fn get<'a>(&'a self, _: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        none()
    }

    fn list<'a>(&'a self, _: Resource, _: &'a str) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        none()
    }

    fn create<'a>(&'a self, _: Resource, _: Object) -> BoxFuture<'a, Result<Object, Status>> {
        none()
    }

    fn update<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        none()
    }

    fn apply<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        none()
    }

    fn delete<'a>(
        &'a self,
        _: &'a ObjectKey,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        none()
    }
}
