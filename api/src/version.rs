//! The order of API versions (`apimachinery/pkg/version`): `v10`, `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, then others by name.

use std::cmp::Ordering;

/// Which of two versions is preferred: the greater one.
#[must_use]
pub fn order(one: &str, other: &str) -> Ordering {
    match (parse(one), parse(other)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        // Names of no meaning are in the order of letters.
        (None, None) => other.cmp(one),
    }
}

/// Stability, number, and number of the alpha or beta.
fn parse(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (major, rest) = rest.split_at(end);
    let major = number(major)?;
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    if let Some(minor) = rest.strip_prefix("beta") {
        return Some((1, major, number(minor)?));
    }
    let minor = rest.strip_prefix("alpha")?;
    Some((0, major, number(minor)?))
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_before_beta_before_alpha_before_anything() {
        let expected = [
            "v10",
            "v2",
            "v1",
            "v11beta2",
            "v10beta3",
            "v3beta1",
            "v12alpha1",
            "v11alpha2",
            "foo1",
            "foo10",
        ];
        let mut versions = expected.map(str::to_string).to_vec();
        versions.reverse();
        versions.sort_by(|a, b| order(b, a));
        assert_eq!(versions, expected);
    }
}
