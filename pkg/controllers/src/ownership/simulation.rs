//! Nodes with clocks that are wrong and differ in speed, behind a network that fails, contend for an address.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const TIMING: Timing = Timing {
    duration: Duration::from_secs(10),
    margin: Duration::from_secs(2),
    renewal: Duration::from_secs(3),
};
/// How much faster or slower a clock runs, in a hundredth.
const DRIFT: u32 = 8;

/// What the network does to a node's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Served,
    /// It never arrives.
    Lost,
    /// It is served, and the answer does not arrive.
    AnswerLost,
}

/// The record, as a node reaches it.
struct Store<'a> {
    record: &'a mut Record,
    fate: Fate,
    /// Somebody else changes the record between the node's reading and its writing.
    overtaken: bool,
}

impl Records for Store<'_> {
    fn read(&mut self) -> Option<Record> {
        (self.fate != Fate::Lost).then(|| self.record.clone())
    }

    fn replace(&mut self, version: u64, holder: Option<&str>) -> Option<Record> {
        if self.overtaken {
            self.record.version += 1;
        }
        if self.record.version != version {
            return None;
        }
        *self.record = Record {
            holder: holder.map(str::to_owned),
            version: version + 1,
        };
        (self.fate == Fate::Served).then(|| self.record.clone())
    }
}

/// A node: what it believes, and how its clock is wrong.
struct Node {
    contender: Contender,
    skew: Duration,
    /// Hundredths of a second a second.
    speed: u32,
}

impl Node {
    fn clock(&self, now: Duration) -> Duration {
        self.skew + now * self.speed / 100
    }
}

/// One moment of a history.
#[derive(Debug, Clone)]
struct Moment {
    /// Milliseconds since the last.
    after: u64,
    node: usize,
    fate: Fate,
    overtaken: bool,
    /// The nodes that this one believes to be there: itself among them, or not.
    believes: [bool; NODES.len()],
}

fn any_moment() -> impl Strategy<Value = Moment> {
    let fate = prop_oneof![
        4 => Just(Fate::Served),
        1 => Just(Fate::Lost),
        1 => Just(Fate::AnswerLost),
    ];
    let after = prop_oneof![8 => 0u64..1500, 1 => 0u64..15_000];
    (
        after,
        0..NODES.len(),
        fate,
        prop::bool::weighted(0.05),
        any::<[bool; NODES.len()]>(),
    )
        .prop_map(|(after, node, fate, overtaken, believes)| Moment {
            after,
            node,
            fate,
            overtaken,
            believes,
        })
}

fn any_clock() -> impl Strategy<Value = (u64, u32)> {
    (0u64..100_000, 100 - DRIFT..=100 + DRIFT)
}

struct World {
    nodes: Vec<Node>,
    record: Record,
    now: Duration,
}

impl World {
    fn new(clocks: &[(u64, u32)]) -> Self {
        let node = |(name, (skew, speed)): (&&str, &(u64, u32))| Node {
            contender: Contender::new(name, TIMING),
            skew: Duration::from_secs(*skew),
            speed: *speed,
        };
        Self {
            nodes: NODES.iter().zip(clocks).map(node).collect(),
            record: Record {
                holder: None,
                version: 1,
            },
            now: Duration::ZERO,
        }
    }

    fn step(&mut self, index: usize, fate: Fate, overtaken: bool, believes: [bool; NODES.len()]) {
        let there = NODES.iter().zip(believes).filter(|(_, there)| *there);
        let chosen = owner("10.0.0.1".parse().unwrap(), there.map(|(name, _)| *name));
        let node = &mut self.nodes[index];
        let clock = node.clock(self.now);
        let mut store = Store {
            record: &mut self.record,
            fate,
            overtaken,
        };
        node.contender
            .step(clock, chosen == Some(NODES[index]), &mut store);
    }

    fn announcers(&self) -> Vec<&str> {
        let nodes = NODES.iter().zip(&self.nodes);
        let holds = nodes.filter(|(_, node)| node.contender.holds(node.clock(self.now)));
        holds.map(|(name, _)| *name).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn never_two_at_once_and_one_in_the_end(
        clocks in prop::collection::vec(any_clock(), NODES.len()),
        history in prop::collection::vec(any_moment(), 0..200),
    ) {
        let mut world = World::new(&clocks);
        for moment in history {
            // At every moment in between as well: who holds it may only stop by itself.
            world.now += Duration::from_millis(moment.after);
            world.step(moment.node, moment.fate, moment.overtaken, moment.believes);
            prop_assert!(world.announcers().len() <= 1, "{:?}", world.announcers());
        }
        // All see each other again: the chosen one has it within two durations, and keeps it.
        let end = world.now + TIMING.duration * 2 + TIMING.renewal;
        let chosen = owner("10.0.0.1".parse().unwrap(), NODES).unwrap();
        while world.now < end + TIMING.duration {
            for index in 0..NODES.len() {
                world.step(index, Fate::Served, false, [true; NODES.len()]);
                prop_assert!(world.announcers().len() <= 1);
            }
            if world.now >= end {
                prop_assert_eq!(world.announcers(), vec![chosen]);
            }
            world.now += Duration::from_millis(500);
        }
    }
}

#[test]
fn a_clock_that_runs_too_slow_for_the_margin_is_what_breaks_it() {
    // Both limits are needed: this history, harmless within them, has two holders beyond.
    let both_hold = |speed: u32| {
        let mut world = World::new(&[(0, speed), (0, 100), (0, 100), (0, 100)]);
        let others = [false, true, false, false];
        world.step(0, Fate::Served, false, [true, false, false, false]);
        world.step(1, Fate::Served, false, others);
        world.now += TIMING.duration;
        world.step(1, Fate::Served, false, others);
        world.announcers().len() == 2
    };
    assert!(!both_hold(100 - DRIFT));
    assert!(both_hold(70));
}
