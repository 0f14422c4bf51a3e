//! Texts in queries and fields: selectors, continue tokens, quantities.

use kedge_machinery::quantity::Quantity;
use kedge_machinery::selector::{FieldSelector, LabelSelector};
use kedge_registry::resume_token;

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn selector_seeds() -> Vec<Vec<u8>> {
    seeds(&[
        "a=b,c!=d,e in (f,g),h notin (i),!j,k",
        "metadata.name=x,spec.type!=ClusterIP",
        "example.com/name==v, x > 3, y<4",
    ])
}

/// Both languages of selectors; one that is read has an answer for an object without labels and fields.
pub(super) fn selector(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(labels) = LabelSelector::parse(text) {
        let all = labels.matches(|_| None);
        assert!(
            all || !labels.is_empty(),
            "one that asks for nothing takes all"
        );
    }
    if let Ok(fields) = FieldSelector::parse(text) {
        assert!(fields.requirements().len() <= text.len());
    }
}

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    let tokens = [
        "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiJkZWZhdWx0L3dlYiJ9",
        "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiYSJ9",
    ];
    seeds(&tokens)
}

/// A token that is read goes on from where it says, again and again.
pub(super) fn token(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Some(resumed) = resume_token(text) {
        assert_eq!(resume_token(&resumed).as_deref(), Some(resumed.as_str()));
    }
}

pub(super) fn quantity_seeds() -> Vec<Vec<u8>> {
    seeds(&[
        "100m",
        "1Ki",
        "1.5e3",
        "-2E",
        "0.000001",
        "12345678901234567890n",
        "+.5Gi",
    ])
}

/// The canonical form is canonical, and means the same.
pub(super) fn quantity(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(quantity) = Quantity::parse(text) else {
        return;
    };
    let canonical = quantity.to_string();
    match Quantity::parse(&canonical) {
        Ok(again) => assert_eq!(again.to_string(), canonical, "of {text}"),
        Err(error) => panic!("{canonical}, of {text}: {error}"),
    }
}
