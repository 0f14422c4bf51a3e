//! Times as Kubernetes writes them (RFC 3339, UTC).

use jiff::Timestamp;

/// `metav1.Time`: whole seconds, `2026-01-02T03:04:05Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `metav1.MicroTime`: six digits, `2026-01-02T03:04:05.000006Z`.
#[must_use]
pub fn rfc3339_micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Reads either form.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let at = parse("2026-01-02T05:04:05.1234567+02:00").unwrap();
        assert_eq!(rfc3339(at), "2026-01-02T03:04:05Z");
        assert_eq!(rfc3339_micro(at), "2026-01-02T03:04:05.123456Z");
        assert_eq!(parse("yesterday"), None);
    }
}
