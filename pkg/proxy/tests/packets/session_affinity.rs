//! Clients that keep their endpoint.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;

use crate::support::api::{Api, config, service, slice};
use crate::support::family::{Family, PROTOCOLS, V4, V6, at, names};
use crate::support::lab::Lab;
use crate::support::talk::{Answer, PATIENCE, eventually, parse, serve, tcp, udp};

#[rstest]
fn session_affinity(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(3);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &family.pods, None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    for ask in PROTOCOLS {
        for from in [&lab.client, &lab.node, &lab.pods[0]] {
            assert_eq!(names(ask, from, &to).len(), 1);
        }
    }
    // Its endpoint goes: another one, and that one again and again.
    let first = tcp(&lab.client, &to).name().to_owned();
    let left: Vec<&str> = (1..=3)
        .filter(|n| first != format!("pod{n}"))
        .map(|n| family.pods[n - 1])
        .collect();
    api.apply([slice("web", family.name, &left, None)]);
    eventually("another endpoint", || tcp(&lab.client, &to).name() != first);
    assert_eq!(names(tcp, &lab.client, &to).len(), 1);
}

#[rstest]
fn affinity_to_the_node_itself(#[values(V4, V6)] family: Family) {
    let lab = Lab::new(1);
    serve(&lab.node, "node", family.node);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &[family.node, family.pods[0]], None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    for from in [&lab.client, &lab.node, &lab.pods[0]] {
        assert_eq!(names(tcp, from, &to).len(), 1);
        assert_eq!(names(udp, from, &to).len(), 1);
    }
}

/// Its packets are on their way through the rules at any moment, and must not bring back what is forgotten.
#[rstest]
fn a_busy_client_leaves_an_endpoint_that_goes(#[values(V4, V6)] family: Family) {
    const ROUNDS: usize = 40;
    let lab = Lab::new(2);
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let only = |n: usize| slice("web", family.name, &family.pods[n..=n], None);
    let api = Api::start(
        &lab.node,
        config(),
        vec![service("web", &[family.cluster_ip], sticky), only(0)],
    );
    let to: SocketAddr = at(family.cluster_ip, 80).parse().unwrap();
    let here = SocketAddr::new(family.client.parse().unwrap(), 0);
    let sending = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.client.run(|| {
                while sending.load(Ordering::Relaxed) {
                    let socket = UdpSocket::bind(here).unwrap();
                    let wait = Some(Duration::from_millis(1));
                    socket.set_read_timeout(wait).unwrap();
                    socket.send_to(b"?", to).unwrap();
                    let _ = socket.recv(&mut [0; 64]);
                }
            });
        });
        // A failure must end the client too.
        let _end = Defer(|| sending.store(false, Ordering::Relaxed));
        for round in 0..ROUNDS {
            let now = round % 2;
            api.apply([only(now)]);
            let name = format!("pod{}", now + 1);
            for ask in PROTOCOLS {
                let right = |answer| matches!(answer, Answer::From(from, _) if from == name);
                eventually(&name, || right(ask(&lab.client, &to.to_string())));
            }
        }
    });
}

/// Calls a function when it is dropped.
struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[rstest]
fn each_client_has_its_own_endpoint_and_keeps_it(#[values(V4, V6)] family: Family) {
    const CLIENTS: u16 = 12;
    let lab = Lab::new(3);
    let address = |n: u16| match family.host {
        32 => format!("192.0.2.{}", 100 + n),
        _ => format!("2001:db8::{:x}", 0x100 + n),
    };
    (0..CLIENTS).for_each(|n| family.add_address(&lab.client, &address(n), "eth0"));
    let ask = |n: u16, to: &str| {
        let here = SocketAddr::new(address(n).parse().unwrap(), 0);
        lab.client.run(|| {
            let socket = UdpSocket::bind(here).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
                .send_to(b"?", to.parse::<SocketAddr>().unwrap())
                .unwrap();
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).unwrap();
            parse(std::str::from_utf8(&buffer[..length]).unwrap())
                .name()
                .to_owned()
        })
    };
    let sticky = json!({"sessionAffinity": "ClientIP"});
    let api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &family.pods[..2], None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    let first: Vec<String> = (0..CLIENTS).map(|n| ask(n, &to)).collect();
    // Once in two thousand times all would have come to the same one.
    assert!(first.contains(&"pod1".into()) && first.contains(&"pod2".into()));
    let all_stay = |who: &[String]| (0..CLIENTS).all(|n| ask(n, &to) == who[usize::from(n)]);
    assert!((0..5).all(|_| all_stay(&first)));
    // One more endpoint takes nobody's client, and neither does its end.
    api.apply([slice("web", family.name, &family.pods, None)]);
    eventually("the third endpoint", || {
        lab.listed(family, "eps").contains(family.pods[2])
    });
    assert!((0..5).all(|_| all_stay(&first)));
    // The second one ends: its clients move on, the first one's do not.
    api.apply([slice(
        "web",
        family.name,
        &[family.pods[0], family.pods[2]],
        None,
    )]);
    eventually("the move", || (0..CLIENTS).all(|n| ask(n, &to) != "pod2"));
    for n in (0..CLIENTS).filter(|n| first[usize::from(*n)] == "pod1") {
        assert_eq!(ask(n, &to), "pod1");
    }
}

/// A client is remembered for so long after its last connection, and no longer.
#[rstest]
fn affinity_ends_after_its_time(#[values(V4, V6)] family: Family) {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let lab = Lab::new(3);
    let sticky = json!({
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": TIMEOUT.as_secs()}},
    });
    let _api = Api::start(
        &lab.node,
        config(),
        vec![
            service("web", &[family.cluster_ip], sticky),
            slice("web", family.name, &family.pods, None),
        ],
    );
    let to = at(family.cluster_ip, 80);
    let start = Instant::now();
    let first = tcp(&lab.client, &to).name().to_owned();
    while start.elapsed() < TIMEOUT * 2 {
        assert_eq!(tcp(&lab.client, &to).name(), first, "it is kept up");
    }
    assert!(lab.listed(family, "affinity").contains(family.client));
    let waited = eventually("oblivion", || {
        !lab.listed(family, "affinity").contains(family.client)
    });
    assert!(
        (TIMEOUT / 2..TIMEOUT * 3).contains(&waited),
        "forgotten after {waited:?}"
    );
}
