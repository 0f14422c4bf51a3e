//! What a kubelet declares that it can do (KEP-5328; upstream: `validateNodeDeclaredFeatures`).

use std::cmp::Ordering;

use kedge_machinery::{FieldError, Object};

use crate::value::{field, texts};

/// How long the name of a feature may be.
const MAX_NAME: usize = 253;

/// Each well named, in order, and once.
pub(super) fn features(node: &Object) -> Vec<FieldError> {
    let all = texts(field(&node.0, "status"), "declaredFeatures");
    let mut errors = Vec::new();
    for (i, feature) in all.iter().enumerate() {
        let at = format!("status.declaredFeatures[{i}]");
        let before = i.checked_sub(1).map(|before| all[before]);
        match before.map(|before| before.cmp(feature)) {
            Some(Ordering::Equal) => errors.push(FieldError::duplicate(&at, *feature)),
            Some(Ordering::Greater) => {
                let detail = "list must be sorted alphabetically";
                errors.push(FieldError::invalid(&at, *feature, detail));
            }
            Some(Ordering::Less) | None => {}
        }
        let why = if feature.len() > MAX_NAME {
            format!("must be no more than {MAX_NAME} characters")
        } else if !is_feature(feature) {
            "must start with an UpperCamelCase segment, with subsequent segments separated by '/' \
             (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
                .to_string()
        } else {
            continue;
        };
        let detail = format!("invalid feature name \"{feature}\": {why}");
        errors.push(FieldError::invalid(&at, *feature, detail));
    }
    errors
}

/// Words of letters and digits that begin with a letter, the first with a capital one.
fn is_feature(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.split('/').all(is_word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(declared: &[&str]) -> Vec<String> {
        let node = json!({"status": {"declaredFeatures": declared}});
        let errors = features(&Object::from_value(node).unwrap());
        errors.into_iter().map(|error| error.field).collect()
    }

    #[rstest]
    #[case(&[], &[])]
    #[case(&["A", "B1", "B1/c", "B1/c/D2"], &[])]
    #[case(&["B", "A"], &[1])]
    #[case(&["A", "A"], &[1])]
    #[case(&["A", "B", "A", "A"], &[2, 3])]
    #[case(&["a"], &[0])]
    #[case(&["", "1A", "A-b", "A/", "A//b", "A/1", "A_"], &[0, 1, 2, 3, 4, 5, 6])]
    fn what_is_wrong(#[case] declared: &[&str], #[case] places: &[usize]) {
        let at = |i: &usize| format!("status.declaredFeatures[{i}]");
        assert_eq!(wrong(declared), Vec::from_iter(places.iter().map(at)));
    }

    #[test]
    fn names_have_a_bound() {
        let of = |length: usize| wrong(&[&"A".repeat(length)]).len();
        assert_eq!((of(MAX_NAME), of(MAX_NAME + 1)), (0, 1));
    }
}
