//! What a store costs while nothing happens: memory, bytes written, CPU, wake-ups, and disk.
//!
//!     cargo run --release -p kedge-store --example idle -- sled|redb OBJECTS UPDATES SECONDS
//!
//! Makes a store with so many Services of 1.3 KB, updates them so many times, opens it anew in this process and watches.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use kedge_store::{Encoded, EngineKind, Options, Store, Transaction, Write};
use serde_json::json;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, objects, updates, seconds, made @ ..] = &arguments[..] else {
        panic!("sled|redb OBJECTS UPDATES SECONDS");
    };
    let engine = if engine == "redb" {
        EngineKind::Redb
    } else {
        EngineKind::Sled
    };
    let [objects, updates, seconds]: [u64; 3] =
        [objects, updates, seconds].map(|number| number.parse().unwrap());
    if let [path] = made {
        return watch(engine, path.as_ref(), seconds);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fill(engine, &path, objects, updates);
    // In a process of its own: what filling it took is not what holding it takes.
    let again = std::env::current_exe().unwrap();
    let status = std::process::Command::new(again)
        .args(&arguments)
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
}

fn options(engine: EngineKind, path: &Path) -> Options {
    Options {
        path: path.to_owned(),
        engine,
        window: 1000,
    }
}

fn fill(engine: EngineKind, path: &Path, objects: u64, updates: u64) {
    let (store, _) = Store::open(&options(engine, path)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (mut largest, begin) = (0, Instant::now());
    runtime.block_on(async {
        for number in 0..objects + updates {
            let key = format!("/registry/services/default/service-{}", number % objects.max(1));
            let value = Encoded::object(&json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": key, "uid": format!("9d4c8a5e-{number}"), "labels": {"app": "idle"}},
                "spec": {"number": number, "pad": "x".repeat(1100)},
            }));
            store.commit(Transaction { conditions: Vec::new(), writes: vec![Write::Put { key, value }] }).await.unwrap();
            if number % 100 == 0 {
                largest = largest.max(disk(path));
            }
        }
        println!("{engine:?}, {objects} objects, {updates} updates");
        println!("  filling: {:.1} s, RSS {} KiB at its end", begin.elapsed().as_secs_f64(), rss());
        store.close().await;
    });
    let written = mib(process("io", "write_bytes:"));
    let (largest, closed) = (mib(largest), mib(disk(path)));
    println!(
        "  on disk: at most {largest:.1} MiB, {closed:.1} MiB closed; {written:.1} MiB written"
    );
}

fn watch(engine: EngineKind, path: &Path, seconds: u64) {
    let empty = rss();
    let begin = Instant::now();
    let (store, recovery) = Store::open(&options(engine, path)).unwrap();
    assert!(recovery.damaged.is_none());
    let opened = begin.elapsed();
    // Whatever opening left to be written is written by then.
    std::thread::sleep(Duration::from_secs(3));
    let before = costs();
    std::thread::sleep(Duration::from_secs(seconds));
    let after = costs();
    let opened = opened.as_secs_f64() * 1e3;
    println!(
        "  opened in {opened:.1} ms: RSS {} KiB, {empty} KiB before",
        rss()
    );
    let (written, ticks) = (after.0 - before.0, after.1 - before.1);
    let (wakes, threads) = (
        after.2 - before.2,
        std::fs::read_dir("/proc/self/task").unwrap().count(),
    );
    println!(
        "  {seconds} s idle: {written} bytes written, {ticks} CPU ticks, {wakes} wake-ups of {threads} threads"
    );
    drop(store);
}

/// Resident memory in KiB.
fn rss() -> u64 {
    process("status", "VmRSS:")
}

/// Bytes written, ticks of CPU, voluntary context switches.
fn costs() -> (u64, u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap())
        .sum();
    let switches = std::fs::read_dir("/proc/self/task").unwrap().map(|task| {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        field(&status, "\nvoluntary_ctxt_switches:")
    });
    (process("io", "write_bytes:"), ticks, switches.sum())
}

fn process(file: &str, name: &str) -> u64 {
    field(
        &std::fs::read_to_string(format!("/proc/self/{file}")).unwrap(),
        name,
    )
}

fn field(text: &str, name: &str) -> u64 {
    text.split_once(name)
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// Bytes that a folder takes on disk.
fn disk(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::read_dir(path)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            if path.is_dir() {
                Some(disk(&path))
            } else {
                Some(path.metadata().ok()?.blocks() * 512)
            }
        })
        .sum()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
