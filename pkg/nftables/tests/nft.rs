//! What the `nft` program makes of our rulesets, and we of its.
//!
//! Where there is no `nft`, these tests are counted as ignored, and say why in their names.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use common::design::{Design, canonical};
use common::in_namespace;
use kedge_nftables::{
    Action, Event, Family, Monitor, ObjectKind, Rule, Set, SetFlags, Socket, Typeof,
};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let absent = Command::new("nft").arg("--version").output().is_err();
    let test = |name: &str, run: fn()| {
        let name = if absent {
            format!("{name} (skipped: no nft program in PATH)")
        } else {
            name.to_owned()
        };
        let run = move || {
            in_namespace(run);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(absent)
    };
    let tests = vec![
        test("nft_lists_what_we_load", nft_lists_what_we_load),
        test(
            "nft_loads_again_what_it_lists",
            nft_loads_again_what_it_lists,
        ),
        test("our_rules_are_those_of_nft", our_rules_are_those_of_nft),
        test("our_sets_are_those_of_nft", our_sets_are_those_of_nft),
        test("rules_of_others_can_be_read", rules_of_others_can_be_read),
        test(
            "a_flush_by_nft_is_seen_at_once",
            a_flush_by_nft_is_seen_at_once,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// Runs `nft` in the namespace of this thread.
fn nft(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("nft")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "nft {arguments:?}: {} {errors}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

fn load(family: Family) -> (Socket, Design) {
    let design = Design::new(family);
    let mut socket = Socket::open().unwrap();
    socket.commit(&design.batch()).unwrap();
    (socket, design)
}

#[track_caller]
fn assert_lines(listing: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            listing.lines().any(|l| l.trim() == *line),
            "no line \"{line}\" in\n{listing}"
        );
    }
}

/// Protocols by number: their names are not on every machine.
fn nft_lists_what_we_load() {
    load(Family::Ip);
    load(Family::Ip6);
    let listing = nft(&["-p", "list", "table", "ip", "kedge"], "");
    assert_lines(
        &listing,
        &[
            "comment \"a test\"",
            "type ipv4_addr . inet_proto . inet_service : mark",
            "type mark : verdict",
            "typeof ct mark . numgen random mod 65536 : ip daddr . th dport",
            "typeof ip saddr : ip daddr . th dport",
            "comment \"externalTrafficPolicy: Local\"",
            "flags dynamic,timeout",
            "timeout 3h",
            "elements = { 10.43.0.1 . 6 . 80 : 0x00001003,",
            "elements = { 0x00001000 . 0 : 10.43.0.10 . 8080,",
            "elements = { 0x00002000 . 10.43.0.4-10.43.0.9 }",
            "elements = { 10.43.0.4/30 }",
            "meta l4proto { 6, 17, 132 } dnat ip to ct mark & 0xfffff000 . numgen random mod 3 map @eps",
            "meta l4proto { 6, 17, 132 } dnat ip to ip saddr map @aff-6",
            "reject with tcp reset",
            "ct mark & 0xfffff000 . ip saddr != @src drop",
            "ip saddr . ip daddr @hairpin masquerade fully-random",
            "type nat hook prerouting priority dstnat; policy accept;",
            "type nat hook postrouting priority srcnat; policy accept;",
        ],
    );
    let listing = nft(&["-p", "list", "table", "ip6", "kedge"], "");
    assert_lines(
        &listing,
        &[
            "typeof ct mark . numgen random mod 65536 : ip6 daddr . th dport",
            "meta l4proto { 6, 17, 132 } dnat ip6 to ct mark & 0xfffff000 . numgen random mod 3 map @eps",
            "elements = { fd00::4/126 }",
        ],
    );
    assert!(nft(&["-p", "list", "ruleset"], "").contains(&listing));
}

fn nft_loads_again_what_it_lists() {
    let (mut socket, design) = load(Family::Ip);
    let listing = nft(&["list", "ruleset"], "");
    nft(&["-f", "-"], &format!("flush ruleset\n{listing}"));
    let mut after: Vec<String> = socket
        .sets(&design.table)
        .unwrap()
        .into_iter()
        .map(|s| s.name)
        .collect();
    after.retain(|name| !name.starts_with("__"));
    assert_eq!(
        after,
        design
            .sets
            .iter()
            .map(|s| s.name.clone())
            .collect::<Vec<_>>()
    );
    for (set, sent) in &design.elements {
        let listed = socket.elements(&design.table, set).unwrap();
        for element in sent {
            assert!(
                listed.contains(element),
                "set {set} lacks {element:?}: {listed:?}"
            );
        }
    }
}

/// The rules of [`Design`] for IPv4 as a person writes them.
const TEXT: &str = r#"
    table ip kedge {
        map svc { type ipv4_addr . inet_proto . inet_service : mark; }
        map svc-int { type ipv4_addr . inet_proto . inet_service : mark; }
        map svc-ext { type ipv4_addr . inet_proto . inet_service : mark; }
        map class { type mark : verdict; }
        map pick { type mark : verdict; }
        map lbclass { type mark : mark; }
        map eps { typeof ct mark . numgen random mod 65536 : ip daddr . th dport; }
        map aff-6 { typeof ip saddr : ip daddr . th dport; flags dynamic,timeout; timeout 3h; size 65535; }
        set hairpin { type ipv4_addr . ipv4_addr; }
        set cluster-ips { type ipv4_addr; }
        set src { type mark . ipv4_addr; flags interval; }
        chain n1 {
            meta l4proto { tcp, udp, sctp } dnat ip to ct mark and 0xfffff000 . numgen random mod 1 map @eps
            drop
        }
        chain n3 {
            meta l4proto { tcp, udp, sctp } dnat ip to ct mark and 0xfffff000 . numgen random mod 3 map @eps
            goto n1
        }
        chain rej {
            meta l4proto tcp reject with tcp reset
            reject with icmp type port-unreachable
        }
        chain srcrange {
            ct mark and 0xfffff000 . ip saddr != @src drop
            ct mark set ct mark and 0xfffff000 map @lbclass ct mark and 0xff vmap @pick
        }
        chain aff-6 {
            meta l4proto { tcp, udp, sctp } dnat ip to ip saddr map @aff-6
            goto n3
        }
        chain aff-learn {
            update @aff-6 { ip saddr timeout 3h : ip daddr . th dport }
        }
        chain services {
            ct mark set ip daddr . meta l4proto . th dport map @svc ct mark and 0xff vmap @class
            ip saddr 10.42.0.0/16 ct mark set ip daddr . meta l4proto . th dport map @svc-int ct mark and 0xff vmap @class
            ct mark set ip daddr . meta l4proto . th dport map @svc-ext ct mark and 0xff vmap @class comment "from outside"
            ip daddr @cluster-ips goto rej
        }
        chain pre { type nat hook prerouting priority dstnat; jump services; }
        chain out { type nat hook output priority -100; jump services; }
        chain post {
            type nat hook postrouting priority srcnat
            ct status and dnat == 0 return
            ct mark and 0xff == 0xe1 jump aff-learn
            ip saddr . ip daddr @hairpin masquerade fully-random
            ct mark and 0x100 == 0x100 masquerade fully-random
            ct mark and 0x200 == 0x200 ip saddr != 10.42.0.0/16 masquerade fully-random
        }
    }
"#;

fn our_rules_are_those_of_nft() {
    nft(&["-f", "-"], TEXT);
    let design = Design::new(Family::Ip);
    let mut socket = Socket::open().unwrap();
    let mut listed = socket.chains(&design.table).unwrap();
    listed.sort_by_key(|chain| design.chains.iter().position(|c| c.name == chain.name));
    assert_eq!(listed, design.chains);
    for chain in &design.chains {
        let theirs: Vec<Rule> = socket
            .chain_rules(&design.table, &chain.name)
            .unwrap()
            .into_iter()
            .map(|listed| canonical(listed.rule))
            .collect();
        let ours: Vec<Rule> = design
            .rules
            .iter()
            .filter(|(name, _)| *name == chain.name)
            .map(|(_, rule)| rule.clone())
            .collect();
        assert_eq!(ours, theirs, "chain {}", chain.name);
    }
}

fn our_sets_are_those_of_nft() {
    let text = "
        add table ip t
        add map ip t eps { typeof ct mark . numgen random mod 65536 : ip daddr . th dport; }
        add map ip t aff { typeof ip saddr : ip daddr . th dport; flags dynamic,timeout; timeout 3h; size 65535; }
        add set ip t src { typeof ct mark . ip saddr; flags interval; }
        add set ip t marks { typeof meta mark; comment \"why\"; }
        add set ip t links { typeof iifname; }
        add set ip t ports { typeof th sport; flags interval; }
        add set ip t protocols { typeof meta l4proto; }
        add table ip6 t
        add map ip6 t eps { typeof ct mark . numgen random mod 65536 : ip6 daddr . th dport; }
    ";
    nft(&["-f", "-"], text);
    let source = [Typeof::CtMark, Typeof::IpSaddr];
    let slot = [Typeof::CtMark, Typeof::NumgenRandom(65_536)];
    let three_hours = std::time::Duration::from_secs(3 * 3600);
    let ours = [
        Set::map("eps", slot, [Typeof::IpDaddr, Typeof::ThDport]),
        Set::map("aff", Typeof::IpSaddr, [Typeof::IpDaddr, Typeof::ThDport])
            .with_flags(SetFlags::EVAL)
            .with_timeout(three_hours)
            .with_size(65_535),
        Set::set("src", source).with_intervals(source),
        Set::set("marks", Typeof::MetaMark).with_comment("why"),
        Set::set("links", Typeof::Iifname),
        Set::set("ports", Typeof::ThSport).with_intervals(Typeof::ThSport),
        Set::set("protocols", Typeof::MetaL4proto),
    ];
    let ours6 = [Set::map("eps", slot, [Typeof::Ip6Daddr, Typeof::ThDport])];
    let mut socket = Socket::open().unwrap();
    for (family, ours) in [(Family::Ip, &ours[..]), (Family::Ip6, &ours6[..])] {
        let table = kedge_nftables::Table::new(family, "t");
        let mut theirs = socket.sets(&table).unwrap();
        for set in &mut theirs {
            // What our maps do without, being its default: that their data are single values (item
            // 6 of the userdata).
            if let Some(rest) = set.userdata.strip_suffix(&[6, 4, 0, 0, 0, 0]) {
                set.userdata = rest.to_vec();
            }
        }
        assert_eq!(ours, theirs);
    }
}

fn rules_of_others_can_be_read() {
    nft(
        &["-f", "-"],
        "
        add table inet other
        add chain inet other input { type filter hook input priority filter; policy drop; }
        add counter inet other hits
        add rule inet other input ct state established,related accept
        add rule inet other input tcp dport { 22, 80-90 } counter limit rate 5/second log prefix \"x\" accept
        add rule inet other input meta mark set ct mark << 8 or 0x5
        add rule inet other input counter name hits tcp flags syn
        add rule inet other input ip daddr . tcp dport vmap { 10.0.0.1 . 80 : accept }
        ",
    );
    let mut socket = Socket::open().unwrap();
    let tables = socket.tables().unwrap();
    assert_eq!(tables.len(), 1);
    let rules = socket.rules(&tables[0]).unwrap();
    assert_eq!(rules.len(), 5);
    let names: Vec<&str> = rules[1].rule.expressions.iter().map(|e| e.name()).collect();
    assert!(
        names.contains(&"limit") && names.contains(&"log"),
        "{names:?}"
    );
    for set in socket.sets(&tables[0]).unwrap() {
        assert!(!socket.elements(&tables[0], &set.name).unwrap().is_empty());
    }
    // What we read of others we can write: every rule once more.
    let mut batch = kedge_nftables::Batch::new();
    for rule in &rules {
        batch.add_rule(&tables[0], &rule.chain, &rule.rule);
    }
    let error = socket.commit(&batch).err();
    // Constant sets are bound to one rule: those two are refused.
    let refused = match &error {
        Some(kedge_nftables::Error::Rejected(failures)) => failures.len(),
        _ => panic!("{error:?}"),
    };
    assert_eq!(refused, 2, "{error:?}");
}

fn a_flush_by_nft_is_seen_at_once() {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let mut socket = Socket::open().unwrap();
            let mut monitor = Monitor::open(&[socket.port()]).unwrap();
            let design = Design::new(Family::Ip);
            socket.commit(&design.batch()).unwrap();
            nft(&["flush", "ruleset"], "");
            let mut tables = Vec::new();
            let end = loop {
                let event = tokio::time::timeout(Duration::from_secs(5), monitor.next());
                match event.await.expect("no event came").unwrap() {
                    Event::Change(change) if change.operation.object == ObjectKind::Table => {
                        tables.push(change.operation);
                    }
                    Event::Change(change) => assert_eq!(change.operation.table, "kedge"),
                    Event::Generation(end) => break end,
                    Event::Lost => panic!("events were lost"),
                }
            };
            assert_eq!(end.generation.process.as_deref(), Some("nft"));
            assert_eq!(tables.len(), 1);
            assert_eq!(tables[0].action, Action::Delete);
            assert_eq!(tables[0].table, "kedge");
        });
}
