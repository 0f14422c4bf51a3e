//! What is wrong with a setting.

/// A setting that cannot be: which, what it was, what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{setting}: {detail}")]
pub struct Mistake {
    setting: &'static str,
    detail: String,
}

pub fn mistake(setting: &'static str, detail: impl Into<String>) -> Mistake {
    Mistake {
        setting,
        detail: detail.into(),
    }
}
