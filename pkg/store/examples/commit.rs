//! Durable writes per second of 2 KB objects by 1, 16 and 128 writers, and how long one waits, for both engines.
//!
//!     cargo run --release -p kedge-store --example commit [-- SECONDS [FOLDER]]
//!
//! The folder, by default one in the system's place for temporary files, decides which disk is measured.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kedge_store::{Encoded, EngineKind, Options, Store, Transaction, Write};
use serde_json::json;
use tokio::task::JoinSet;

const KEYS: u64 = 1000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments
        .next()
        .map_or(3, |argument| argument.parse().expect("SECONDS"));
    let base = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:8} {:>8} {:>12} {:>10} {:>10}",
        "engine", "writers", "writes/s", "p50 ms", "p99 ms"
    );
    for engine in [EngineKind::Sled, EngineKind::Redb] {
        for writers in [1, 16, 128] {
            let folder = tempfile::tempdir_in(&base).unwrap();
            let options = Options {
                path: folder.path().join("store"),
                engine,
                window: 1000,
            };
            let (store, _) = Store::open(&options).unwrap();
            let (count, elapsed, mut waits) =
                measure(&store, writers, Duration::from_secs(seconds));
            waits.sort_unstable();
            let at = |part: usize| waits[(waits.len() - 1) * part / 100].as_secs_f64() * 1e3;
            let rate = count as f64 / elapsed.as_secs_f64();
            println!(
                "{:8} {writers:8} {rate:12.0} {:10.2} {:10.2}",
                format!("{engine:?}"),
                at(50),
                at(99)
            );
        }
    }
}

/// Number of writes, the time they took together, and each one's.
fn measure(store: &Store, writers: u64, time: Duration) -> (usize, Duration, Vec<Duration>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begin = Instant::now();
    let waits = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for writer in 0..writers {
            let store = store.clone();
            tasks.spawn(async move {
                let mut waits = Vec::new();
                let mut number = writer;
                while begin.elapsed() < time {
                    number += writers;
                    let key = format!("/registry/services/default/service-{}", number % KEYS);
                    let value = Encoded::object(&json!({
                        "apiVersion": "v1", "kind": "Service",
                        "metadata": {"name": key, "uid": "9d4c8a5e", "labels": {"app": "bench"}},
                        "spec": {"number": number, "pad": "x".repeat(1850)},
                    }));
                    let transaction = Transaction {
                        conditions: Vec::new(),
                        writes: vec![Write::Put { key, value }],
                    };
                    let start = Instant::now();
                    store.commit(transaction).await.unwrap();
                    waits.push(start.elapsed());
                }
                waits
            });
        }
        tasks.join_all().await.concat()
    });
    let elapsed = begin.elapsed();
    (waits.len(), elapsed, waits)
}
