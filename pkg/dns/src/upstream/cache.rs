//! What other resolvers said, kept in bounded memory. A value: the clock is the caller's.
//!
//! Two generations: what is asked for is in the young one; when that holds its share of memory it becomes the old one, and
//! what nobody asked for meanwhile goes with the old one before. Nothing is sorted, and no timer runs.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::message::{Answered, Asked};

/// Octets of memory, both generations together.
const ROOM: usize = 2 << 20;
/// What an entry takes beside its key and its answer.
const OVERHEAD: usize = 96;
/// How long an answer may serve after its time, in seconds, when nobody answers any more: a day (RFC 8767, 4: one to three).
const STALE_FOR: u64 = 86_400;
/// How long nobody is asked again after a failure, in seconds: with an answer whose time is over, which serves meanwhile
/// (RFC 8767, 5), and without any (RFC 9520, 3.2).
const PAUSE_STALE: u64 = 30;
const PAUSE: u64 = 5;

/// What is known of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// An answer, and its age in seconds.
    Fresh(Arc<Answered>, u32),
    /// Nobody answered lately; an answer whose time is over, if there is one.
    Failed(Option<(Arc<Answered>, u32)>),
    /// Somebody must be asked; an answer whose time is over serves should nobody answer.
    Ask(Option<(Arc<Answered>, u32)>),
}

#[derive(Debug, Default)]
pub struct Cache {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
    /// Octets of the young generation.
    used: usize,
    /// Failures before this second say nothing: somebody answered since.
    recovered: u64,
}

type Key = Box<[u8]>;

#[derive(Debug, Clone)]
struct Entry {
    answer: Option<(Arc<Answered>, u64)>,
    failed: Option<u64>,
}

impl Cache {
    /// `now`: seconds of a clock that never goes back.
    pub fn get(&mut self, asked: &Asked, now: u64) -> Known {
        let key = key(asked);
        if let Some((key, entry)) = self.old.remove_entry(&key) {
            self.keep(key, entry);
        }
        let Some(entry) = self.young.get(&key) else {
            return Known::Ask(None);
        };
        let answer = entry.answer.as_ref().map(|(answer, at)| {
            let age = u32::try_from(now.saturating_sub(*at)).unwrap_or(u32::MAX);
            (answer.clone(), age)
        });
        if let Some((answer, age)) = &answer
            && *age < answer.lifetime()
        {
            return Known::Fresh(answer.clone(), *age);
        }
        let over = |answer: &Answered| u64::from(answer.lifetime()) + STALE_FOR;
        let stale = answer.filter(|(answer, age)| u64::from(*age) < over(answer));
        let pause = if stale.is_some() { PAUSE_STALE } else { PAUSE };
        let pausing = |failed: u64| failed >= self.recovered && now < failed + pause;
        if entry.failed.is_some_and(pausing) {
            Known::Failed(stale)
        } else {
            Known::Ask(stale)
        }
    }

    pub fn answered(&mut self, asked: &Asked, answer: Arc<Answered>, now: u64) {
        let key = key(asked);
        self.old.remove(&key);
        let entry = Entry {
            answer: (answer.lifetime() > 0).then_some((answer, now)),
            failed: None,
        };
        self.keep(key, entry);
    }

    pub fn failed(&mut self, asked: &Asked, now: u64) {
        let key = key(asked);
        let known = self.old.remove(&key).or_else(|| self.young.remove(&key));
        if let Some(entry) = &known {
            self.used = self.used.saturating_sub(size(&key, entry));
        }
        let entry = Entry {
            answer: known.and_then(|entry| entry.answer),
            failed: Some(now),
        };
        self.keep(key, entry);
    }

    /// Somebody answers again: what failed before may be asked again at once.
    pub fn recover(&mut self, now: u64) {
        self.recovered = now + 1;
    }

    /// Positive and negative answers, and failures, that are kept.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn keep(&mut self, key: Key, entry: Entry) {
        self.used += size(&key, &entry);
        if let Some(before) = self.young.insert(key.clone(), entry) {
            self.used = self.used.saturating_sub(size(&key, &before));
        }
        if self.used > ROOM / 2 {
            self.old = mem::take(&mut self.young);
            self.used = 0;
        }
    }
}

fn size(key: &Key, entry: &Entry) -> usize {
    let answer = entry.answer.as_ref();
    OVERHEAD + key.len() + answer.map_or(0, |(answer, _)| answer.size())
}

/// The question in as few octets as it takes.
fn key(asked: &Asked) -> Key {
    let flags = u8::from(asked.dnssec_ok) | u8::from(asked.checking_disabled) << 1;
    let [high, low] = asked.rtype.to_int().to_be_bytes();
    [asked.name.as_bytes(), &[high, low, flags]].concat().into()
}

#[cfg(test)]
mod tests {
    use domain::base::iana::Rcode;
    use domain::base::{Message, MessageBuilder, Rtype, Ttl};
    use domain::rdata::A;

    use super::*;
    use crate::name::WireName;

    fn asked(name: &str) -> Asked {
        Asked {
            name: WireName::parse(name).unwrap(),
            rtype: Rtype::A,
            dnssec_ok: false,
            checking_disabled: false,
        }
    }

    fn answer(asked: &Asked, ttl: u32) -> Arc<Answered> {
        let message = Message::from_octets(asked.message(1, false)).unwrap();
        let mut answer = MessageBuilder::new_vec()
            .start_answer(&message, Rcode::NOERROR)
            .unwrap();
        let address = A::new([192, 0, 2, 1].into());
        answer
            .push((asked.name.as_name(), Ttl::from_secs(ttl), address))
            .unwrap();
        Arc::new(Answered::read(&answer.finish()).unwrap())
    }

    #[test]
    fn an_answer_serves_for_its_time_and_beyond_it_when_nobody_answers() {
        let (mut cache, asked) = (Cache::default(), asked("example.com"));
        assert_eq!(cache.get(&asked, 0), Known::Ask(None));
        let said = answer(&asked, 60);
        cache.answered(&asked, said.clone(), 0);
        assert_eq!(cache.get(&asked, 59), Known::Fresh(said.clone(), 59));
        assert_eq!(cache.get(&asked, 60), Known::Ask(Some((said.clone(), 60))));
        cache.failed(&asked, 60);
        assert_eq!(
            cache.get(&asked, 89),
            Known::Failed(Some((said.clone(), 89)))
        );
        assert_eq!(cache.get(&asked, 90), Known::Ask(Some((said.clone(), 90))));
        assert_eq!(cache.get(&asked, 60 + STALE_FOR), Known::Ask(None));
    }

    #[test]
    fn a_failure_is_kept_for_seconds_and_forgotten_once_somebody_answers() {
        let (mut cache, asked) = (Cache::default(), asked("example.com"));
        cache.failed(&asked, 10);
        assert_eq!(cache.get(&asked, 14), Known::Failed(None));
        assert_eq!(cache.get(&asked, 15), Known::Ask(None));
        cache.failed(&asked, 20);
        cache.recover(20);
        assert_eq!(cache.get(&asked, 20), Known::Ask(None));
    }

    #[test]
    fn an_answer_of_no_time_is_not_kept() {
        let (mut cache, asked) = (Cache::default(), asked("example.com"));
        cache.answered(&asked, answer(&asked, 0), 0);
        assert_eq!(cache.get(&asked, 0), Known::Ask(None));
    }

    #[test]
    fn types_and_flags_are_different_questions() {
        let mut cache = Cache::default();
        let plain = asked("example.com");
        cache.answered(&plain, answer(&plain, 60), 0);
        for other in [
            Asked {
                rtype: Rtype::AAAA,
                ..plain.clone()
            },
            Asked {
                dnssec_ok: true,
                ..plain.clone()
            },
            Asked {
                checking_disabled: true,
                ..plain.clone()
            },
        ] {
            assert_eq!(cache.get(&other, 0), Known::Ask(None));
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let mut cache = Cache::default();
        let wanted = asked("wanted.example.com");
        cache.answered(&wanted, answer(&wanted, 60), 0);
        let mut most = 0;
        for i in 0..40_000 {
            let other = asked(&format!("n{i}.example.com"));
            cache.answered(&other, answer(&other, 60), 0);
            if i % 100 == 0 {
                assert!(matches!(cache.get(&wanted, 0), Known::Fresh(..)), "{i}");
            }
            let all = cache.young.iter().chain(&cache.old);
            if i % 1000 == 0 {
                most = most.max(all.map(|(key, entry)| size(key, entry)).sum());
            }
        }
        assert!(most > ROOM / 4 && most <= ROOM + 1024, "{most}");
    }
}
