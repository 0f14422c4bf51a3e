//! Network namespaces for tests: made with `ip`, entered by a thread, gone when dropped.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod frames;
pub mod running;
// The end-to-end tests' own, without all that they depend on.
#[path = "../../../../tests/src/skip.rs"]
pub mod skip;
pub mod switch;

use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use frames::{Mac, Spoken, spoken};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

/// Long enough for a loaded machine, short enough to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A network namespace.
pub struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

impl Namespace {
    /// An empty one, with `lo` up.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "ka{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        command(&["ip", "netns", "add", &name]);
        let namespace = Self(name);
        // Addresses that the tests make are good at once.
        namespace.run("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
        namespace.ip("link set lo up");
        namespace
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` in it; its output. Panics when it fails.
    pub fn ip(&self, arguments: &str) -> String {
        let mut words = vec!["ip", "-n", &self.0];
        words.extend(arguments.split(' '));
        command(&words)
    }

    /// Runs a command in it, which has to succeed; its output.
    pub fn run(&self, script: &str) -> String {
        let (good, output) = self.sh(script);
        assert!(good, "{script}: {output}");
        output
    }

    /// Runs a command in it; whether it succeeded, and its output.
    pub fn sh(&self, script: &str) -> (bool, String) {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.0, "sh", "-c", script])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// A veth pair between two namespaces, both ends called `link` and up, with these addresses.
    pub fn connect(&self, other: &Self, link: &str, here: &[&str], there: &[&str]) {
        self.ip(&format!(
            "link add {link} type veth peer name {link} netns {}",
            other.0
        ));
        for (namespace, addresses) in [(self, here), (other, there)] {
            namespace.ip(&format!("link set {link} up"));
            for address in addresses {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                namespace.ip(&format!("addr add {address} dev {link}{nodad}"));
            }
        }
    }

    /// The hardware address of a link.
    pub fn mac(&self, link: &str) -> Mac {
        let text = self.sh(&format!("cat /sys/class/net/{link}/address")).1;
        let bytes: Vec<u8> = text
            .trim()
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }

    /// Runs a future on a thread and a runtime of its own in this namespace.
    pub fn block_on<F: Future>(&self, future: impl FnOnce() -> F + Send) -> F::Output
    where
        F::Output: Send,
    {
        self.inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { tokio::time::timeout(3 * PATIENCE, future()).await.unwrap() })
        })
    }

    /// A socket that sees every frame of every link in this namespace from now on.
    pub fn capture(&self) -> Capture {
        // ETH_P_ALL, in network order.
        let every = Protocol::from(i32::from(3u16.to_be()));
        let socket = self.inside(|| Socket::new(Domain::PACKET, Type::RAW, Some(every)).unwrap());
        Capture(socket)
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Frames as they arrive.
pub struct Capture(Socket);

impl Capture {
    /// What is said about `ip` in the name of `mac`, from the first frame that arrives within [`PATIENCE`] until none did for
    /// `silence`: each with the milliseconds since the first.
    pub fn hear(&self, mac: Mac, ip: &str, silence: Duration) -> Vec<(Spoken, u128)> {
        let ip = ip.parse().unwrap();
        let mut heard: Vec<(Spoken, Instant)> = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            let end = match heard.last() {
                None => PATIENCE,
                Some((_, last)) => silence.saturating_sub(last.elapsed()),
            };
            if end.is_zero() {
                break;
            }
            self.0.set_read_timeout(Some(end)).unwrap();
            let Ok(length) = (&self.0).read(&mut buffer) else {
                break;
            };
            if let Some(spoken) = spoken(&buffer[..length], mac, ip) {
                heard.push((spoken, Instant::now()));
            }
        }
        let first = heard.first().map(|(_, at)| *at);
        let since = |at: Instant| first.map_or(0, |first| (at - first).as_millis());
        heard
            .into_iter()
            .map(|(spoken, at)| (spoken, since(at)))
            .collect()
    }

    /// True when a frame that has these bytes in it arrives in time; others are passed over.
    pub fn sees_within(&self, bytes: &[u8], patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut buffer = [0; 2048];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.0.set_read_timeout(Some(left)).unwrap();
            let Ok(length) = (&self.0).read(&mut buffer) else {
                return false;
            };
            let mut parts = buffer[..length].windows(bytes.len());
            if parts.any(|part| part == bytes) {
                return true;
            }
        }
    }

    /// The first of [`Self::hear`].
    pub fn first(&self, mac: Mac, ip: &str) -> Option<Spoken> {
        let all = self.hear(mac, ip, Duration::from_millis(1));
        all.first().map(|(spoken, _)| *spoken)
    }
}

fn command(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
