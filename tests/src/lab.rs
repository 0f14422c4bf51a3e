//! A small site: a LAN with a switch and a client, a node, and three backends behind the node.
//!
//! ```text
//! client 192.168.50.100 --+-- switch --+-- 192.168.50.10 node 10.42.0.1 --+-- 10.42.0.11 web-1
//!        fd00:50::100     |            |      fd00:50::10    fd00:42::1   +-- 10.42.0.12 web-2
//!                                                                        +-- 10.42.0.13 web-3
//! ```
//! Backends are routed, one link each, so that every packet between them passes through the node's hooks.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::backend::Backend;
use crate::netns::{Netns, unique_prefix};
use crate::server::Server;
use crate::tool::ToolError;

/// The node's addresses on the LAN.
pub const NODE: [&str; 2] = ["192.168.50.10", "fd00:50::10"];
/// The client's addresses on the LAN.
pub const CLIENT: [&str; 2] = ["192.168.50.100", "fd00:50::100"];
/// The addresses of the backends.
pub const PODS: [[&str; 2]; 3] = [
    ["10.42.0.11", "fd00:42::11"],
    ["10.42.0.12", "fd00:42::12"],
    ["10.42.0.13", "fd00:42::13"],
];
/// The port that backends listen on.
pub const PORT: u16 = 8080;

/// The site; everything of it goes when it is dropped.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    backends: Vec<Backend>,
    pub switch: Netns,
    pub client: Netns,
    pub node: Netns,
    pub pods: Vec<Netns>,
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Lab {
    /// A site under names of its own.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn new() -> Result<Self, ToolError> {
        let temporary = tempfile::tempdir().map_err(|source| ToolError::Start {
            program: "a temporary folder".into(),
            source,
        })?;
        let folder = temporary.path().to_path_buf();
        Self::build(&unique_prefix(), &folder, Some(temporary))
    }

    /// A site whose namespaces are `PREFIX-client` and so on, and whose files are in `folder`.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn named(prefix: &str, folder: &Path) -> Result<Self, ToolError> {
        Self::build(prefix, folder, None)
    }

    fn build(
        prefix: &str,
        folder: &Path,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Self, ToolError> {
        let switch = Netns::new(format!("{prefix}-switch"))?;
        switch.ip("link add lan up type bridge forward_delay 0 mcast_snooping 0")?;
        let client = plug(&switch, prefix, "client", CLIENT)?;
        let node = plug(&switch, prefix, "node", NODE)?;
        let mut lab = Self {
            prefix: prefix.into(),
            backends: Vec::new(),
            switch,
            client,
            node,
            pods: Vec::new(),
            folder: folder.into(),
            _temporary: temporary,
        };
        for i in 0..PODS.len() {
            lab.add_pod(prefix, i)?;
        }
        Ok(lab)
    }

    fn add_pod(&mut self, prefix: &str, i: usize) -> Result<(), ToolError> {
        let name = format!("web-{}", i + 1);
        let pod = Netns::new(format!("{prefix}-{name}"))?;
        let [v4, v6] = PODS[i];
        self.node.ip_batch(&format!(
            "link add {name} type veth peer name eth0 netns {}
             link set {name} up
             addr add 10.42.0.1/32 dev {name}
             addr add fd00:42::1/128 dev {name} nodad
             route add {v4} dev {name}
             route add {v6} dev {name}",
            pod.name()
        ))?;
        pod.ip_batch(&format!(
            "link set eth0 up
             addr add {v4}/32 dev eth0
             addr add {v6}/128 dev eth0 nodad
             route add 10.42.0.1 dev eth0
             route add default via 10.42.0.1
             route add fd00:42::1 dev eth0
             route add default via fd00:42::1"
        ))?;
        self.backends.push(Backend::start(&pod, &name, PORT)?);
        self.pods.push(pod);
        Ok(())
    }

    /// One more host on the LAN, with a link `eth0`; it goes when it is dropped.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn host(&self, name: &str, addresses: [&str; 2]) -> Result<Netns, ToolError> {
        plug(&self.switch, &self.prefix, name, addresses)
    }

    /// Where the server keeps its data; the log stands beside it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the server on the node; it serves when this returns.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn server(&self, flags: &[&str]) -> Result<Server, ToolError> {
        Server::start(&self.node, &self.data(), flags)
    }

    /// Leaves all of it in place.
    pub fn keep(&mut self) {
        self.backends.iter_mut().for_each(Backend::keep);
        self.pods.iter_mut().for_each(Netns::keep);
        [&mut self.switch, &mut self.client, &mut self.node]
            .into_iter()
            .for_each(Netns::keep);
    }
}

/// The address written so; for the constants here.
///
/// # Panics
/// `text` is no address.
#[must_use]
pub fn address(text: &str) -> IpAddr {
    match text.parse() {
        Ok(address) => address,
        Err(_) => panic!("{text} is no address"),
    }
}

/// A host on a port of the switch, both of this name.
fn plug(switch: &Netns, prefix: &str, name: &str, [v4, v6]: [&str; 2]) -> Result<Netns, ToolError> {
    let host = Netns::new(format!("{prefix}-{name}"))?;
    switch.ip_batch(&format!(
        "link add {name} type veth peer name eth0 netns {}
         link set {name} master lan up",
        host.name()
    ))?;
    host.ip_batch(&format!(
        "link set eth0 up
         addr add {v4}/24 dev eth0
         addr add {v6}/64 dev eth0 nodad"
    ))?;
    Ok(host)
}
