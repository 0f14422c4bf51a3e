use proptest::prelude::*;

use super::*;

const LINK: u32 = 2;
const ROGUE: Mac = Mac([2, 0, 0, 0, 0, 66]);

fn ip() -> IpAddr {
    [192, 168, 1, 240].into()
}

fn sighting(what: What) -> Sighting {
    Sighting {
        ip: ip(),
        mac: Some(ROGUE),
        what,
    }
}

/// Claims of which the address is one, won at this moment.
fn won(start: Instant) -> (Claims, Instant) {
    let mut claims = Claims::default();
    assert!(!claims.ask(ip(), LINK, start));
    let mut now = start;
    while let Some(due) = claims.next() {
        now = due;
        claims.advance(now);
    }
    assert!(claims.ask(ip(), LINK, now));
    (claims, now)
}

#[test]
fn three_questions_and_a_second_without_an_answer() {
    let start = Instant::now();
    let mut claims = Claims::default();
    let mut asked = Vec::new();
    assert!(!claims.ask(ip(), LINK, start));
    while let Some(due) = claims.next() {
        let questions = claims.advance(due);
        asked.push(((due - start).as_millis(), questions.len()));
        assert!(claims.advance(due).is_empty());
    }
    assert_eq!(asked, [(0, 1), (250, 1), (500, 1), (1000, 0)]);
    assert!(claims.ask(ip(), LINK, start));
}

#[test]
fn an_answer_ends_it_and_the_address_is_left_alone_for_a_while() {
    for what in [What::Has, What::Wants] {
        let start = Instant::now();
        let mut claims = Claims::default();
        claims.ask(ip(), LINK, start);
        claims.advance(start);
        // Somebody of another LAN.
        assert_eq!(claims.seen(&sighting(what), 9, start), Reaction::Ignore);
        assert_eq!(claims.seen(&sighting(what), LINK, start), Reaction::GiveUp);
        assert_eq!(claims.taken(ip()), Some((LINK, Some(ROGUE))));
        let end = claims.next().unwrap();
        assert_eq!(end, start + LEFT_ALONE);
        assert!(!claims.ask(ip(), LINK, end - GAP));
        assert!(claims.advance(end).is_empty());
        assert!(!claims.ask(ip(), LINK, end));
        assert_eq!(claims.advance(end), [(ip(), LINK)], "asked for anew");
    }
}

#[test]
fn defended_once_and_given_up_when_it_happens_again_soon() {
    let (mut claims, start) = won(Instant::now());
    let has = sighting(What::Has);
    assert_eq!(claims.seen(&has, LINK, start), Reaction::Defend);
    let later = start + DEFEND_INTERVAL;
    assert_eq!(claims.seen(&has, LINK, later), Reaction::Defend);
    let soon = later + DEFEND_INTERVAL / 2;
    let wants = sighting(What::Wants);
    assert_eq!(claims.seen(&wants, LINK, soon), Reaction::Ignore);
    assert_eq!(claims.seen(&has, LINK, soon), Reaction::GiveUp);
    assert_eq!(claims.seen(&has, LINK, soon), Reaction::Ignore);
}

#[test]
fn what_is_there_is_ours_without_a_question() {
    let mut claims = Claims::default();
    claims.adopt(ip(), LINK);
    assert!(claims.ask(ip(), LINK, Instant::now()));
    assert_eq!(claims.next(), None);
    assert_eq!(claims.listens(), [(LINK, [ip()].into())].into());
    // On another link it is asked for there.
    assert!(!claims.ask(ip(), 3, Instant::now()));
    assert_eq!(claims.asking(ip()), Some(3));
}

#[test]
fn a_link_that_lost_its_carrier_makes_what_is_gone_from_it_doubtful() {
    let (mut claims, now) = won(Instant::now());
    claims.retain(|_| true, |_, _| true, |_| false);
    assert!(claims.ask(ip(), LINK, now), "it is still there");
    claims.retain(|_| true, |_, _| false, |_| true);
    assert!(
        claims.ask(ip(), LINK, now),
        "somebody deleted it a moment ago"
    );
    claims.retain(|_| true, |_, _| false, |_| false);
    assert!(!claims.ask(ip(), LINK, now));
    claims.retain(|_| true, |_, _| false, |_| false);
    assert_eq!(claims.next(), None);
}

/// What happens to an address, in some order.
#[derive(Debug, Clone)]
enum Step {
    Ask(u32),
    Wait(u64),
    Seen(What, u32),
    Forget,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (2u32..4).prop_map(Step::Ask),
        (0u64..2000).prop_map(Step::Wait),
        (prop_oneof![Just(What::Has), Just(What::Wants)], 2u32..4)
            .prop_map(|(what, link)| Step::Seen(what, link)),
        Just(Step::Forget),
    ]
}

proptest! {
    /// Never in use without a silent second on that very link before.
    #[test]
    fn nothing_is_used_unasked(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut now = Instant::now();
        let mut claims = Claims::default();
        // Since when the address was asked for without a word of anybody, by link.
        let mut silent: Option<(u32, Instant)> = None;
        let mut ours = None;
        for step in steps {
            match step {
                Step::Wait(ms) => {
                    let end = now + Duration::from_millis(ms);
                    while let Some(due) = claims.next().filter(|due| *due <= end) {
                        now = now.max(due);
                        claims.advance(now);
                    }
                    now = end;
                }
                Step::Ask(link) => {
                    let may = claims.ask(ip(), link, now);
                    if may && ours != Some(link) {
                        let since = silent.filter(|(on, _)| *on == link);
                        prop_assert!(since.is_some_and(|(_, since)| now >= since + Duration::from_secs(1)));
                        ours = Some(link);
                    } else if !may {
                        ours = None;
                        if silent.is_none_or(|(on, _)| on != link) {
                            silent = Some((link, now));
                        }
                    }
                }
                Step::Seen(what, link) => {
                    if claims.seen(&sighting(what), link, now) == Reaction::GiveUp {
                        (silent, ours) = (None, None);
                    }
                }
                Step::Forget => {
                    claims.retain(|_| false, |_, _| false, |_| true);
                    (silent, ours) = (None, None);
                }
            }
        }
    }
}
