//! A host: one network namespace, removed when dropped.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub struct Host {
    name: String,
}

impl Host {
    pub fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kp{}-{number}-{role}", std::process::id());
        ip(&format!("netns add {name}"));
        let host = Self { name };
        host.ip("link set lo up");
        // Addresses are of use at once.
        host.sysctl("ipv6/conf/default/accept_dad", "0");
        host.sysctl("ipv6/conf/default/dad_transmits", "0");
        host
    }

    /// Runs `f` in a thread of this host.
    pub fn run<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                f()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread of this host that goes on until its work is done.
    pub fn spawn(&self, f: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
        let file = self.file();
        std::thread::spawn(move || {
            enter(&file);
            f();
        })
    }

    /// Moves the calling thread here.
    pub fn enter(&self) {
        enter(&self.file());
    }

    /// `ip ARGS` on this host.
    pub fn ip(&self, args: &str) {
        ip(&format!("-n {} {args}", self.name));
    }

    /// Runs a program on this host and returns what it printed; it must succeed.
    pub fn command(&self, program: &str, args: &[&str]) -> String {
        let out = Command::new("ip")
            .args(["netns", "exec", &self.name, program])
            .args(args)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{program} {args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    /// Sets `/proc/sys/net/NAME` here.
    pub fn sysctl(&self, name: &str, value: &str) {
        self.run(|| fs::write(format!("/proc/sys/net/{name}"), value).unwrap());
    }

    /// A counter of `TcpExt` here (`/proc/net/netstat`).
    pub fn tcp_counter(&self, name: &str) -> u64 {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/netstat").unwrap());
        let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let mut both = names.split(' ').zip(values.split(' '));
        let (_, value) = both.find(|(found, _)| *found == name).unwrap();
        value.parse().unwrap()
    }

    /// Connects this host with another.
    pub fn link(&self, own: &str, other: &Self, theirs: &str) {
        ip(&format!(
            "link add {own} netns {} type veth peer name {theirs} netns {}",
            self.name, other.name
        ));
        self.ip(&format!("link set {own} up"));
        other.ip(&format!("link set {theirs} up"));
    }

    fn file(&self) -> File {
        File::open(format!("/run/netns/{}", self.name)).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

fn enter(file: &File) {
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn ip(args: &str) {
    let out = Command::new("ip")
        .args(args.split_whitespace())
        .output()
        .expect("ip of iproute2");
    assert!(
        out.status.success(),
        "ip {args}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}
