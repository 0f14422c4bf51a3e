//! What goes wrong between the proxy and a real kernel: afterwards the rules are right within a second, and the log has said
//! it once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kedge_nftables::{Batch, DataType, Element, Family, Set, Socket, Table, Value as Raw};
use rstest::rstest;
use serde_json::{Value, json};
use support::api::{Api, config, service, slice};
use support::host::Host;
use support::lab::Lab;
use support::talk::{Answer, eventually, tcp};

/// The promise is a second; tests of a debug build on a busy machine have more time.
const BOUND: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3000 } else { 1000 });
/// How often a race is run until the other program has won it.
const RACES: usize = 40;

/// What was said in all namespaces.
static LINES: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

/// Notes in whose namespace something is said: many labs share a process.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        LINES.lock().unwrap().push((namespace(), text));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn namespace() -> PathBuf {
    std::fs::read_link("/proc/thread-self/ns/net").unwrap()
}

/// The warnings on a host since this was last asked for.
fn warnings(node: &Host) -> Vec<String> {
    let here = node.run(namespace);
    let mut lines = LINES.lock().unwrap();
    let said = lines.extract_if(.., |(place, _)| *place == here);
    said.map(|(_, line)| line)
        .filter(|line| line.contains(" WARN "))
        .collect()
}

fn lab() -> Lab {
    // Only the first of a process's tests can.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(|| Log)
        .try_init();
    Lab::new(2)
}

fn web(external: &[&str], affinity: &str) -> Vec<Value> {
    let spec = json!({"externalIPs": external, "sessionAffinity": affinity});
    vec![
        service("web", &["10.43.0.10"], spec),
        slice("web", "IPv4", &["10.42.1.2", "10.42.2.2"], None),
    ]
}

/// Our tables as `nft` lists them, in an order of its own.
fn rules(node: &Host) -> Vec<String> {
    let mut all = Vec::new();
    for family in ["ip", "ip6"] {
        let listed = node.command("nft", &["list", "table", family, "kedge"]);
        all.extend(listed.lines().map(str::to_owned));
    }
    all.sort_unstable();
    all
}

fn generation(node: &Host) -> u32 {
    node.run(|| Socket::open().unwrap().generation().unwrap().id)
}

fn nft(words: &str) {
    let status = Command::new("nft").arg(words).status().unwrap();
    assert!(status.success(), "nft {words}");
}

/// The rules for some objects, made from nothing.
fn fresh(lab: &Lab, objects: Vec<Value>) -> Vec<String> {
    Api::start(&lab.node, config(), objects).stop();
    let rules = rules(&lab.node);
    lab.node.run(|| kedge_proxy::cleanup().unwrap());
    rules
}

/// Another program changes what the proxy is about to change, so that its transaction is refused.
#[rstest]
#[case::eexist(
    "None",
    "add element ip kedge svc { 198.51.100.7 . tcp . 80 : 0x1 }",
    "flush map ip kedge svc"
)]
#[case::enoent("None", "delete table ip kedge", "delete table ip kedge")]
#[case::ebusy(
    "ClientIP",
    "add rule ip kedge services jump learn-10800",
    "add chain ip kedge learn-10800"
)]
fn a_refused_transaction_is_made_good(
    #[case] affinity: &str,
    #[case] coming: &'static str,
    #[case] going: &'static str,
) {
    let lab = lab();
    let states = [web(&[], affinity), web(&["198.51.100.7"], "None")];
    let expected = states.clone().map(|objects| fresh(&lab, objects));
    assert_ne!(expected[0], expected[1]);
    let api = Api::start(&lab.node, config(), states[0].clone());
    assert_eq!(warnings(&lab.node), [""; 0]);
    let mut refused = 0;
    for race in 1..=RACES {
        let to = race % 2;
        let damage = if to == 1 { coming } else { going };
        api.hold(move || nft(damage), states[to].clone());
        let healed = eventually("the rules", || {
            lab.node
                .command("nft", &["list", "tables"])
                .contains("ip kedge\n")
                && rules(&lab.node) == expected[to]
        });
        assert!(healed < BOUND, "{healed:?}");
        let said = warnings(&lab.node);
        assert!(said.len() <= 1, "{said:?}");
        refused += said.len();
        if refused > 1 && to == 0 {
            break;
        }
    }
    assert!(refused > 0, "the other program never won");
    assert!(matches!(
        tcp(&lab.client, "10.43.0.10:80"),
        Answer::From(..)
    ));
}

#[test]
fn events_that_overflow_are_made_up_for() {
    let lab = lab();
    let api = Api::start(&lab.node, config(), web(&[], "None"));
    let before = rules(&lab.node);
    let flood = || {
        let table = Table::new(Family::Ip, "theirs");
        let mut socket = Socket::open().unwrap();
        let mut batch = Batch::new();
        batch.add_table(&table);
        batch.add_set(&table, &Set::set("s", DataType::Mark));
        let elements: Vec<Element> = (0..200_000).map(|n| Element::new(Raw::host(n))).collect();
        batch.add_elements(&table, "s", &elements);
        socket.commit(&batch).unwrap();
        nft("flush map ip kedge svc");
    };
    api.hold(flood, []);
    let healed = eventually("the rules", || rules(&lab.node) == before);
    assert!(healed < BOUND, "{healed:?}");
    let said = warnings(&lab.node);
    assert!(
        said.len() == 1 && said[0].contains("more happened"),
        "{said:?}"
    );
}

/// Nobody's changes may come between a reading and what is written for it: while they never cease, the rules wait.
#[test]
fn a_generation_that_never_stays_delays_no_longer_than_it_lasts() {
    let lab = lab();
    let api = Api::start(&lab.node, config(), web(&[], "None"));
    let before = rules(&lab.node);
    let (busy, refused) = (AtomicBool::new(true), || {
        let here = lab.node.run(namespace);
        let lines = LINES.lock().unwrap();
        lines
            .iter()
            .any(|(place, line)| *place == here && line.contains("not in step"))
    });
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (node, busy) = (&lab.node, &busy);
            scope.spawn(move || {
                node.enter();
                let mut socket = Socket::open().unwrap();
                let table = Table::new(Family::Ip, format!("theirs-{number}"));
                while busy.load(Ordering::Relaxed) {
                    let mut batch = Batch::new();
                    batch.add_table(&table);
                    batch.delete_table(&table);
                    socket.commit(&batch).unwrap();
                }
            });
        }
        api.hold(|| nft("flush map ip kedge svc"), []);
        eventually("a word, or the rules", || {
            refused() || rules(&lab.node) == before
        });
        busy.store(false, Ordering::Relaxed);
    });
    let healed = eventually("the rules", || rules(&lab.node) == before);
    assert!(healed < BOUND, "{healed:?}");
    // So much at once may overflow the events as well: that is another word.
    let mut said = warnings(&lab.node);
    said.retain(|line| !line.contains("more happened"));
    assert!(said.len() <= 1, "{said:?}");
}

/// However soon after a change the process ends, its successor finds no more and no less than it needs.
#[test]
fn an_end_between_any_two_steps_is_taken_up() {
    let lab = lab();
    let states = [web(&[], "ClientIP"), web(&["198.51.100.7"], "None")];
    let expected = states.clone().map(|objects| fresh(&lab, objects));
    for end in 0..8 {
        let to = end % 2;
        let api = Api::start(&lab.node, config(), states[1 - to].clone());
        assert_eq!(rules(&lab.node), expected[1 - to]);
        let before = generation(&lab.node);
        api.apply(states[to].clone());
        if end >= 4 {
            eventually("the rules", || generation(&lab.node) != before);
        }
        api.stop();
        Api::start(&lab.node, config(), states[to].clone()).stop();
        assert_eq!(rules(&lab.node), expected[to], "ended after step {end}");
    }
    assert_eq!(warnings(&lab.node), [""; 0]);
}
