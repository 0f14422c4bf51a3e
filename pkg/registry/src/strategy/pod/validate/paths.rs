//! Paths of files.

use kedge_machinery::FieldError;

/// Stays below where it begins (`validateLocalDescendingPath`).
pub(super) fn descending(at: &str, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if path.starts_with('/') {
        let detail = "must be a relative path";
        errors.push(FieldError::invalid(at, path, detail));
    }
    errors.extend(without_backsteps(at, path));
    errors
}

pub(super) fn without_backsteps(at: &str, path: &str) -> Option<FieldError> {
    let steps_back = path.split('/').any(|part| part == "..");
    steps_back.then(|| FieldError::invalid(at, path, "must not contain '..'"))
}

/// The same, and no name of kubelet's own (`ValidateLocalNonReservedPath`).
pub(super) fn unreserved(at: &str, path: &str) -> Vec<FieldError> {
    let mut errors = descending(at, path);
    if path.starts_with("..") && !path.starts_with("../") {
        let detail = "must not start with '..'";
        errors.push(FieldError::invalid(at, path, detail));
    }
    errors
}

/// A mode of files, in octal.
pub(super) fn mode(at: String, mode: Option<i64>) -> Option<FieldError> {
    let mode = mode.filter(|mode| !(0..=0o777).contains(mode))?;
    let detail = "must be a number between 0 and 0777 (octal), both inclusive";
    Some(FieldError::invalid(at, mode, detail))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a/b", 0, 0)]
    #[case("", 0, 0)]
    #[case("/a", 1, 1)]
    #[case("a/../b", 1, 1)]
    #[case("/../b", 2, 2)]
    #[case("..a", 0, 1)]
    #[case("..", 1, 2)]
    #[case("../a", 1, 1)]
    #[case("a..", 0, 0)]
    fn below(#[case] path: &str, #[case] wrong: usize, #[case] reserved: usize) {
        assert_eq!(descending("p", path).len(), wrong);
        assert_eq!(unreserved("p", path).len(), reserved);
    }

    #[test]
    fn modes() {
        assert!(mode("p".into(), Some(0o777)).is_none() && mode("p".into(), None).is_none());
        assert!(mode("p".into(), Some(0o1000)).is_some() && mode("p".into(), Some(-1)).is_some());
    }
}
