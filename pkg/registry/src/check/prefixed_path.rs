//! Names of programs: `DOMAIN/PATH` (upstream: `IsDomainPrefixedPath`).

use kedge_machinery::FieldError;

/// What a URL's path may have in it besides letters and digits.
const MARKS: &str = "/-._~%!$&'()*+,;=:";

pub(crate) fn prefixed_path(at: &str, value: &str) -> Vec<FieldError> {
    if value.is_empty() {
        return vec![FieldError::required(at, "")];
    }
    let Some((domain, path)) = value
        .split_once('/')
        .filter(|(d, p)| !d.is_empty() && !p.is_empty())
    else {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return vec![FieldError::invalid(at, value, detail)];
    };
    let mut errors = super::subdomain(at, domain);
    let is_fit = |c: char| c.is_ascii_alphanumeric() || MARKS.contains(c);
    if !path.chars().all(is_fit) {
        let detail =
            "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        errors.push(FieldError::invalid(at, path, detail));
    }
    errors
}
