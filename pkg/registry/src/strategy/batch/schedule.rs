//! Schedules in the words of cron, as far as one must read them to refuse a wrong one (the standard form of
//! `robfig/cron`, which upstream's controller uses).

/// A field: its lowest and highest number, and names for numbers from `first_name` on.
struct Field {
    min: u32,
    max: u32,
    names: &'static [&'static str],
    first_name: u32,
}

const fn numbers(min: u32, max: u32) -> Field {
    Field {
        min,
        max,
        names: &[],
        first_name: 0,
    }
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Minute, hour, day of the month, month, day of the week.
const FIELDS: [Field; 5] = [
    numbers(0, 59),
    numbers(0, 23),
    numbers(1, 31),
    Field {
        names: MONTHS,
        first_name: 1,
        ..numbers(1, 12)
    },
    Field {
        names: DAYS,
        ..numbers(0, 6)
    },
];
const DESCRIPTORS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];
const EVERY: &str = "@every ";

/// What is wrong with a schedule.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    if schedule.contains("TZ") {
        return Err("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".into());
    }
    if schedule.starts_with('@') {
        let known = DESCRIPTORS.contains(&schedule)
            || schedule.strip_prefix(EVERY).is_some_and(is_duration);
        return match known {
            true => Ok(()),
            false => Err(format!("unrecognized descriptor: {schedule}")),
        };
    }
    let words: Vec<&str> = schedule.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            words.len(),
            words.join(" ")
        ));
    }
    FIELDS
        .iter()
        .zip(words)
        .try_for_each(|(field, word)| word.split(',').try_for_each(|part| field.range(part)))
}

/// Numbers with units, such as `1h30m`.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit() && c != '.') {
        let unit = rest[end..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |next| end + next);
        let good = end > 0
            && matches!(
                &rest[end..unit],
                "ns" | "us" | "µs" | "ms" | "s" | "m" | "h"
            );
        if !good {
            return false;
        }
        rest = &rest[unit..];
    }
    rest.is_empty() && !text.is_empty()
}

impl Field {
    /// `*`, `?`, `N`, `N-M`, each with `/STEP`.
    fn range(&self, part: &str) -> Result<(), String> {
        let mut pieces = part.split('/');
        let (whole, step) = (pieces.next().unwrap_or_default(), pieces.next());
        if pieces.next().is_some() {
            return Err(format!("too many slashes: {part}"));
        }
        let step = step.map_or(Ok(1), number)?;
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
        if matches!(whole, "*" | "?") {
            return Ok(());
        }
        let mut ends = whole.split('-');
        let start = self.number(ends.next().unwrap_or_default())?;
        let end = ends.next().map_or(Ok(start), |end| self.number(end))?;
        if ends.next().is_some() {
            return Err(format!("too many hyphens: {part}"));
        }
        if start < self.min {
            let min = self.min;
            Err(format!(
                "beginning of range ({start}) below minimum ({min}): {part}"
            ))
        } else if end > self.max {
            let max = self.max;
            Err(format!(
                "end of range ({end}) above maximum ({max}): {part}"
            ))
        } else if start > end {
            Err(format!(
                "beginning of range ({start}) beyond end of range ({end}): {part}"
            ))
        } else {
            Ok(())
        }
    }

    fn number(&self, word: &str) -> Result<u32, String> {
        let name = |name: &&str| name.eq_ignore_ascii_case(word);
        match self
            .names
            .iter()
            .zip(self.first_name..)
            .find(|(n, _)| name(n))
        {
            Some((_, number)) => Ok(number),
            None => number(word),
        }
    }
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| {
        format!("failed to parse int from {word}: strconv.Atoi: parsing {word:?}: invalid syntax")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("* * * * *")]
    #[case("*/15 0-6 1,15 jan-MAR mon")]
    #[case("0 0 ? * *")]
    #[case("@hourly")]
    #[case("@every 1h30m")]
    fn right(#[case] schedule: &str) {
        assert_eq!(check(schedule), Ok(()));
    }

    #[rstest]
    #[case("* * * *", "expected exactly 5 fields, found 4: [* * * *]")]
    #[case("60 * * * *", "end of range (60) above maximum (59): 60")]
    #[case("* * 0 * *", "beginning of range (0) below minimum (1): 0")]
    #[case("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1")]
    #[case("*/0 * * * *", "step of range should be a positive number: */0")]
    #[case("1-2-3 * * * *", "too many hyphens: 1-2-3")]
    #[case("1/2/3 * * * *", "too many slashes: 1/2/3")]
    #[case("@often", "unrecognized descriptor: @often")]
    #[case("@every soon", "unrecognized descriptor: @every soon")]
    fn wrong(#[case] schedule: &str, #[case] why: &str) {
        assert_eq!(check(schedule), Err(why.into()));
    }

    proptest! {
        #[test]
        fn anything_is_taken(schedule in "\\PC{0,40}") {
            let _ = check(&schedule);
        }

        #[test]
        fn anything_like_a_schedule_is_taken(schedule in "(@every )?[0-9*?/,a-z µ-]{0,30}") {
            let _ = check(&schedule);
        }
    }
}
