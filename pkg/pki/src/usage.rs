//! What a certificate is for, in Kubernetes' words (`certificates.k8s.io/v1` KeyUsage; RFC 5280, 4.2.1.3 and 4.2.1.12).

/// One use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A bit of the extension `keyUsage`.
    Key(u8),
    /// An object identifier of the extension `extKeyUsage`.
    Extended(&'static [u64]),
}

/// Every word that there is, sorted.
pub const WORDS: [(&str, Usage); 23] = [
    ("any", Usage::Extended(&[2, 5, 29, 37, 0])),
    ("cert sign", Usage::Key(5)),
    ("client auth", Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 2])),
    (
        "code signing",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    ),
    ("content commitment", Usage::Key(1)),
    ("crl sign", Usage::Key(6)),
    ("data encipherment", Usage::Key(3)),
    ("decipher only", Usage::Key(8)),
    ("digital signature", Usage::Key(0)),
    (
        "email protection",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    ),
    ("encipher only", Usage::Key(7)),
    (
        "ipsec end system",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    ),
    (
        "ipsec tunnel",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    ),
    ("ipsec user", Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 7])),
    ("key agreement", Usage::Key(4)),
    ("key encipherment", Usage::Key(2)),
    (
        "microsoft sgc",
        Usage::Extended(&[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    ),
    (
        "netscape sgc",
        Usage::Extended(&[2, 16, 840, 1, 113_730, 4, 1]),
    ),
    (
        "ocsp signing",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    ),
    ("s/mime", Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 4])),
    ("server auth", Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 1])),
    ("signing", Usage::Key(0)),
    (
        "timestamping",
        Usage::Extended(&[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    ),
];

impl Usage {
    /// The use that a word stands for; `None` for a word that is not known.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let known = WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, usage)| *usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_found() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(Usage::parse("digital signature"), Some(Usage::Key(0)));
        assert_eq!(Usage::parse("world domination"), None);
    }
}
