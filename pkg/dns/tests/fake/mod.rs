//! A server of the cluster's names on a port of loopback, and resolvers that say what a test wants.
#![allow(dead_code, reason = "each program of tests takes what it needs")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Rtype, Ttl};
use domain::rdata::{A, Soa, Txt};
use ipnet::IpNet;
use kedge_client::{BoxFuture, Change, Client, Feed, ObjectKey, Resource, SharedClient};
use kedge_dns::{Clients, Config, Options, Server, Upstream};
use kedge_machinery::{Object, Status};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

use crate::common;

/// What a resolver does with questions.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// `none.*` is denied, all else is 192.0.2.1 for a minute.
    Answer,
    /// For a second.
    Brief,
    /// After a while.
    Slow(Duration),
    Silent,
    /// The first question for each name is lost on the way.
    Lossy,
    Fail(Rcode),
    /// TXT records that only fit a stream.
    Large,
    /// What is left of an answer that does not fit a datagram, and nothing over TCP.
    Cut,
    NoEdns,
    /// Answers of another name and another id come before the right one.
    Forged,
    /// Asks another.
    Forward(SocketAddr),
}

#[derive(Clone)]
pub struct Fake {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    names: Arc<Mutex<Vec<String>>>,
    pub tcp: Arc<AtomicUsize>,
}

impl Fake {
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), behaviour).await
    }

    pub async fn start_at(address: SocketAddr, behaviour: Behaviour) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(address).await.unwrap();
            match TcpListener::bind(udp.local_addr().unwrap()).await {
                // What is free for UDP may not be for TCP.
                Err(_) if address.port() == 0 => {}
                tcp => break (Arc::new(udp), tcp.unwrap()),
            }
        };
        let address = udp.local_addr().unwrap();
        let fake = Self {
            address,
            behaviour: Arc::new(Mutex::new(behaviour)),
            names: Arc::default(),
            tcp: Arc::default(),
        };
        let serving = fake.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((n, peer)) = udp.recv_from(&mut buffer).await {
                let (fake, udp, question) = (serving.clone(), udp.clone(), buffer[..n].to_vec());
                tokio::spawn(async move {
                    for answer in fake.answers(&question, true).await {
                        udp.send_to(&answer, peer).await.unwrap();
                    }
                });
            }
        });
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                serving.tcp.fetch_add(1, Ordering::Relaxed);
                let question = read(&mut stream).await;
                for answer in serving.answers(&question, false).await {
                    write(&mut stream, &answer).await;
                }
            }
        });
        fake
    }

    pub fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// As the configuration names it, behind `DOMAIN=`.
    pub fn upstream(&self, domain: &str) -> Upstream {
        format!("{domain}{}", self.address).parse().unwrap()
    }

    /// Questions so far, those of its own that a server finds loops by left out.
    pub fn asked(&self) -> usize {
        self.names.lock().unwrap().len()
    }

    pub fn asked_for(&self, name: &str) -> usize {
        let names = self.names.lock().unwrap();
        names.iter().filter(|asked| *asked == name).count()
    }

    async fn answers(&self, bytes: &[u8], udp: bool) -> Vec<Vec<u8>> {
        let behaviour = *self.behaviour.lock().unwrap();
        let message = Message::from_octets(bytes).unwrap();
        let question = message.sole_question().unwrap();
        let name = question.qname().to_string();
        if question.qtype() != Rtype::HINFO {
            self.names.lock().unwrap().push(name.clone());
        }
        let answer = |ttl: u32| {
            if name.starts_with("none.") {
                return denial(&message);
            }
            let mut answer = MessageBuilder::new_vec()
                .start_answer(&message, Rcode::NOERROR)
                .unwrap();
            let address = A::new([192, 0, 2, 1].into());
            let ttl = Ttl::from_secs(ttl);
            answer.push((question.qname(), ttl, address)).unwrap();
            answer.finish()
        };
        let failure = |rcode| {
            let builder = MessageBuilder::new_vec();
            builder.start_answer(&message, rcode).unwrap().finish()
        };
        match behaviour {
            Behaviour::Silent => vec![],
            Behaviour::Lossy if self.asked_for(&question.qname().to_string()) < 2 => vec![],
            Behaviour::Lossy => vec![answer(60)],
            Behaviour::Forward(to) => forward(bytes, to).await,
            _ if question.qtype() == Rtype::HINFO => vec![denial(&message)],
            Behaviour::Answer => vec![answer(60)],
            Behaviour::Brief => vec![answer(1)],
            Behaviour::Slow(pause) => {
                tokio::time::sleep(pause).await;
                vec![answer(60)]
            }
            Behaviour::Fail(rcode) => vec![failure(rcode)],
            Behaviour::NoEdns if message.opt().is_some() => vec![failure(Rcode::FORMERR)],
            Behaviour::NoEdns => vec![answer(60)],
            Behaviour::Cut if udp => {
                let mut cut = answer(60);
                cut[2] |= 0x02;
                vec![cut]
            }
            Behaviour::Cut => vec![],
            Behaviour::Large if udp => {
                let mut cut = failure(Rcode::NOERROR);
                cut[2] |= 0x02;
                vec![cut]
            }
            Behaviour::Large => {
                let mut answer = MessageBuilder::new_vec()
                    .start_answer(&message, Rcode::NOERROR)
                    .unwrap();
                for i in 0..20u8 {
                    let text = Txt::<Vec<u8>>::build_from_slice(&[b'a' + i; 200]).unwrap();
                    answer
                        .push((question.qname(), Ttl::from_secs(60), text))
                        .unwrap();
                }
                vec![answer.finish()]
            }
            Behaviour::Forged => {
                let right = answer(60);
                let (mut other_id, mut other_name) = (right.clone(), right.clone());
                other_id[0] ^= 0xff;
                other_name[13] ^= 0x01;
                let evil = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() = 66;
                evil(&mut other_id);
                evil(&mut other_name);
                vec![other_id, other_name, right]
            }
        }
    }
}

async fn forward(question: &[u8], to: SocketAddr) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(question, to).await.unwrap();
    let mut buffer = [0; 4096];
    match tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await {
        Ok(Ok(n)) => vec![buffer[..n].to_vec()],
        _ => vec![],
    }
}

fn denial(asked: &Message<&[u8]>) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec()
        .start_answer(asked, Rcode::NXDOMAIN)
        .unwrap()
        .authority();
    let owner = kedge_dns::name::WireName::parse("example").unwrap();
    let minute = Ttl::from_secs(60);
    let soa = Soa::new(
        owner.as_name(),
        owner.as_name(),
        1.into(),
        minute,
        minute,
        minute,
        minute,
    );
    answer.push((owner.as_name(), minute, soa)).unwrap();
    answer.finish()
}

pub async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut message).await.unwrap();
    message
}

pub async fn write(stream: &mut TcpStream, message: &[u8]) {
    stream.write_u16(message.len() as u16).await.unwrap();
    stream.write_all(message).await.unwrap();
}

/// The server under test; it ends when this is dropped.
pub struct Node {
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Node {
    pub async fn start(upstreams: &[Upstream]) -> Self {
        let options = Options {
            upstreams: upstreams.to_vec(),
            resolv_conf: "/nonexistent/resolv.conf".into(),
            tls_authorities: None,
        };
        Self::start_with(options, clients(&["127.0.0.0/8"], &[], None)).await
    }

    pub async fn start_with_file(file: &Path) -> Self {
        let options = Options {
            resolv_conf: file.into(),
            ..Options::default()
        };
        Self::start_with(options, clients(&["127.0.0.0/8"], &[], None)).await
    }

    pub async fn start_with(resolvers: Options, clients: Clients) -> Self {
        let client: SharedClient = Arc::new(Objects);
        let config = Config {
            address: "127.0.0.1:0".parse().unwrap(),
            domain: "cluster.local".into(),
            reverse: Vec::new(),
            hosts: ["nas.lan=192.168.1.5", "files.lan=192.168.1.5"]
                .map(|host| host.parse().unwrap())
                .to_vec(),
            clients,
            resolvers,
        };
        let server = Server::bind(config, &client).unwrap();
        let address = server.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        tokio::spawn(server.run(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        Self {
            address,
            _stop: stop,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn ask(&self, name: &str, rtype: Rtype) -> Message<Vec<u8>> {
        let answer = self.ask_within(name, rtype, Duration::from_secs(10)).await;
        answer.unwrap_or_else(|| panic!("no answer for {name}"))
    }

    pub async fn ask_within(
        &self,
        name: &str,
        rtype: Rtype,
        patience: Duration,
    ) -> Option<Message<Vec<u8>>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let question = common::question(name, rtype, None);
        socket.send_to(&question, self.address).await.unwrap();
        let mut buffer = vec![0; 4096];
        let n = tokio::time::timeout(patience, socket.recv(&mut buffer)).await;
        buffer.truncate(n.ok()?.unwrap());
        Some(Message::from_octets(buffer).unwrap())
    }

    pub async fn ask_tcp(&self, name: &str, rtype: Rtype) -> Message<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        write(&mut stream, &common::question(name, rtype, None)).await;
        Message::from_octets(read(&mut stream).await).unwrap()
    }
}

/// A cluster with two aliases, which nobody changes.
struct Objects;

struct Once(Option<Vec<Change>>);

impl Feed for Once {
    fn next_batch(&mut self) -> BoxFuture<'_, Result<Vec<Change>, Status>> {
        let first = self.0.take();
        Box::pin(async move {
            match first {
                Some(changes) => Ok(changes),
                None => std::future::pending().await,
            }
        })
    }
}

fn nothing<'a, T>() -> BoxFuture<'a, Result<T, Status>> {
    Box::pin(async { panic!("names are made from the feed alone") })
}

impl Client for Objects {
    fn feed(&self, _: &[Resource]) -> Box<dyn Feed> {
        let alias = |name: &str, target: &str| {
            common::service(
                "shop",
                name,
                json!({"type": "ExternalName", "externalName": target}),
            )
        };
        Box::new(Once(Some(vec![
            alias("out", "host.example"),
            alias("lost", "lost.example"),
        ])))
    }

    fn get<'a>(&'a self, _: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        nothing()
    }

    fn list<'a>(&'a self, _: Resource, _: &'a str) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        nothing()
    }

    fn create<'a>(&'a self, _: Resource, _: Object) -> BoxFuture<'a, Result<Object, Status>> {
        nothing()
    }

    fn update<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        nothing()
    }

    fn apply<'a>(
        &'a self,
        _: Resource,
        _: &'a str,
        _: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        nothing()
    }

    fn delete<'a>(
        &'a self,
        _: &'a ObjectKey,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        nothing()
    }
}

/// Ranges as a test wants them.
pub fn clients(cluster: &[&str], lan: &[&str], rate_limit: Option<u32>) -> Clients {
    let nets =
        |texts: &[&str]| -> Vec<IpNet> { texts.iter().map(|t| t.parse().unwrap()).collect() };
    let (_, lan) = watch::channel(nets(lan).into());
    Clients {
        cluster: nets(cluster),
        lan,
        named: Vec::new(),
        rate_limit,
    }
}
