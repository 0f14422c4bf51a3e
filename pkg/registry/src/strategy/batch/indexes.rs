//! Lists of indexes as Jobs write them: `1,3-5` (upstream: `validateIndexesFormat`).

/// How many indexes a list names, of a Job with so many completions; what is wrong with it otherwise.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (mut total, mut last) = (0, None);
    for part in text.split(',') {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(disorder(last, first));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// The first index that two lists have in common; what cannot be read is passed over.
pub(super) fn common(one: &str, other: &str, completions: i64) -> Option<i64> {
    let read = |text: &str| -> Vec<(i64, i64)> {
        let parts = text.split(',');
        parts
            .filter_map(|part| interval(part, completions).ok())
            .collect()
    };
    let (one, other) = (read(one), read(other));
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    pairs
        .filter(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
        .map(|(a, b)| a.0.max(b.0))
        .min()
}

fn interval(part: &str, completions: i64) -> Result<(i64, i64), String> {
    let index = |text: &str| match text.parse::<i64>() {
        Err(_) => Err(format!(
            "cannot convert string to integer for index: {text:?}"
        )),
        Ok(index) if index >= completions => Err(format!("too large index: {text:?}")),
        Ok(index) => Ok(index),
    };
    match part.split('-').collect::<Vec<_>>()[..] {
        [one] => index(one).map(|index| (index, index)),
        [first, end] => {
            let (first, end) = (index(first)?, index(end)?);
            if first >= end {
                return Err(disorder(first, end));
            }
            Ok((first, end))
        }
        _ => Err(format!(
            "the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'"
        )),
    }
}

fn disorder(last: i64, next: i64) -> String {
    format!("non-increasing order, previous: {last}, current: {next}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0-2,5", "3,6-7", None)]
    #[case("0-2,5-8", "3,6-7", Some(6))]
    #[case("1,x", "x,1-2", Some(1))]
    #[case("", "0", None)]
    fn shared(#[case] one: &str, #[case] other: &str, #[case] want: Option<i64>) {
        assert_eq!(common(one, other, 10), want);
    }

    #[rstest]
    #[case("", Ok(0))]
    #[case("0", Ok(1))]
    #[case("0,2-4,9", Ok(5))]
    #[case("10", Err("too large index: \"10\""))]
    #[case("2-10", Err("too large index: \"10\""))]
    #[case("1,", Err("cannot convert string to integer for index: \"\""))]
    #[case("x-2", Err("cannot convert string to integer for index: \"x\""))]
    #[case("3,2", Err("non-increasing order, previous: 3, current: 2"))]
    #[case("3-3", Err("non-increasing order, previous: 3, current: 3"))]
    #[case(
        "1-2-3",
        Err(
            "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'"
        )
    )]
    fn counted(#[case] text: &str, #[case] want: Result<i64, &str>) {
        assert_eq!(count(text, 10), want.map_err(String::from));
    }
}
