//! Neighbours that show interest in this machine's addresses, as they do.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::Error;
use crate::filter;
use crate::frame::{Nonce, solicited_node};
use crate::host::Host;
use crate::packet::{PacketSocket, follow, receive};
use crate::sighting::{self, Sighting};

/// Sightings that wait; who floods the LAN with more says nothing new.
const BACKLOG: usize = 64;

/// Listens on the links where addresses are, to nothing but what may be about these. The kernel's filter keeps the rest away.
pub(crate) struct Listener {
    links: BTreeMap<u32, Ears>,
    sender: mpsc::Sender<(u32, Sighting)>,
    sightings: mpsc::Receiver<(u32, Sighting)>,
    nonce: Nonce,
}

/// What listens on one link, for each family that has addresses there.
#[derive(Default)]
struct Ears {
    addresses: BTreeSet<IpAddr>,
    arp: Option<Ear>,
    neighbour: Option<Ear>,
}

/// A socket and the task that reads it.
struct Ear {
    socket: Arc<AsyncFd<Socket>>,
    task: AbortHandle,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    pub(crate) fn new() -> Self {
        let (sender, sightings) = mpsc::channel(BACKLOG);
        let [a, b, c, d, e, f, ..] = RandomState::new().hash_one(BACKLOG).to_ne_bytes();
        Self {
            links: BTreeMap::new(),
            sender,
            sightings,
            nonce: [a, b, c, d, e, f],
        }
    }

    /// Tells our own questions from others'.
    pub(crate) fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The next sighting, with the link of it.
    pub(crate) async fn next(&mut self) -> Option<(u32, Sighting)> {
        self.sightings.recv().await
    }

    /// Listens for these addresses, by link, and for no others any more.
    pub(crate) fn set(
        &mut self,
        host: &Host,
        wanted: BTreeMap<u32, BTreeSet<IpAddr>>,
    ) -> Vec<Error> {
        self.links.retain(|link, _| wanted.contains_key(link));
        let mut errors = Vec::new();
        for (link, addresses) in wanted {
            let announces = host.links.get(&link).filter(|link| link.announces);
            let Some(name) = announces.map(|link| link.name.clone()) else {
                self.links.remove(&link);
                continue;
            };
            if self
                .links
                .get(&link)
                .is_some_and(|ears| ears.addresses == addresses)
            {
                continue;
            }
            match self.listen(link, &name, &addresses) {
                Ok(()) => {
                    self.links.entry(link).or_default().addresses = addresses;
                }
                Err(source) => errors.push(Error::Listen { link: name, source }),
            }
        }
        errors
    }

    fn listen(&mut self, link: u32, name: &str, addresses: &BTreeSet<IpAddr>) -> io::Result<()> {
        let ears = self.links.entry(link).or_default();
        let (sender, nonce) = (&self.sender, self.nonce);
        if addresses.iter().any(IpAddr::is_ipv4) {
            let program = filter::arp(addresses);
            match &ears.arp {
                Some(ear) => ear.socket.get_ref().attach_filter(&program)?,
                None => {
                    let socket = PacketSocket::listen_for_arp(link, &program)?;
                    let read = |frame: &[u8], _| sighting::arp(frame);
                    ears.arp = Some(Ear::start(socket, link, sender.clone(), read)?);
                }
            }
        } else {
            ears.arp = None;
        }
        if addresses.iter().any(IpAddr::is_ipv6) {
            let program = filter::neighbour(addresses);
            match &ears.neighbour {
                Some(ear) => ear.socket.get_ref().attach_filter(&program)?,
                None => {
                    let read =
                        move |message: &[u8], source| sighting::neighbour(message, source, nonce);
                    let socket = neighbour_socket(name, &program)?;
                    ears.neighbour = Some(Ear::start(socket, link, sender.clone(), read)?);
                }
            }
            if let Some(ear) = &ears.neighbour {
                join(ear.socket.get_ref(), link, &ears.addresses, addresses)?;
            }
        } else {
            ears.neighbour = None;
        }
        Ok(())
    }
}

/// Those who ask for an address before it is this machine's are heard in its group alone, which the kernel joins too late.
fn join(
    socket: &Socket,
    link: u32,
    before: &BTreeSet<IpAddr>,
    now: &BTreeSet<IpAddr>,
) -> io::Result<()> {
    let groups = |addresses: &BTreeSet<IpAddr>| -> BTreeSet<Ipv6Addr> {
        let v6 = addresses.iter().filter_map(|ip| match ip {
            IpAddr::V6(ip) => Some(solicited_node(*ip)),
            IpAddr::V4(_) => None,
        });
        v6.collect()
    };
    let (before, now) = (groups(before), groups(now));
    for group in now.difference(&before) {
        match socket.join_multicast_v6(group, link) {
            // A socket has room for few groups; the kernel is in the rest of them once the addresses are there.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EADDRINUSE)) => {}
            joined => joined?,
        }
    }
    for group in before.difference(&now) {
        // A link that went took its groups along.
        let _ = socket.leave_multicast_v6(group, link);
    }
    Ok(())
}

/// ICMPv6 of one link. Its own kind of socket, so that no other packet of this machine meets a filter.
fn neighbour_socket(link: &str, program: &[SockFilter]) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.attach_filter(program)?;
    socket.bind_device(Some(link.as_bytes()))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Ear {
    fn start(
        socket: Socket,
        link: u32,
        sender: mpsc::Sender<(u32, Sighting)>,
        read: impl Fn(&[u8], Ipv6Addr) -> Option<Sighting> + Send + 'static,
    ) -> io::Result<Self> {
        let socket = Arc::new(follow(socket)?);
        let ear = Arc::clone(&socket);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 256];
            while let Ok(mut ready) = ear.readable().await {
                let received = ready.try_io(|socket| receive(socket.get_ref(), &mut buffer));
                // A link that is switched off is told of as an error, once.
                let Ok(Ok((length, source))) = received else {
                    continue;
                };
                if let Some(sighting) = read(&buffer[..length], source) {
                    let _ = sender.try_send((link, sighting));
                }
            }
        });
        Ok(Self {
            socket,
            task: task.abort_handle(),
        })
    }
}
