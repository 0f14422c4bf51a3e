//! What can go wrong with the folder of certificates.

use std::path::PathBuf;

/// Each variant names the file, and its message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Reading, writing or changing the mode of a file failed.
    #[error("cannot {what} {path}: {source}; make the folder readable and writable for this user", path = .path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// A file of the authority cannot be understood.
    #[error(
        "{path}: {detail}; restore it from a backup, or remove ca.crt and ca.key to begin a new authority (every kubeconfig and agent then needs the new one)",
        path = .path.display()
    )]
    Corrupt { path: PathBuf, detail: String },

    /// The authority's certificate was made for another key.
    #[error(
        "{certificate} does not belong to {key}; restore both from the same backup, or remove both to begin a new authority (every kubeconfig and agent then needs the new one)",
        certificate = .certificate.display(), key = .key.display()
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },

    /// The authority's certificate is there and its key is not.
    #[error(
        "{key} is missing though {certificate} is there; restore it from a backup, or remove {certificate} to begin a new authority (every kubeconfig and agent then needs the new one)",
        certificate = .certificate.display(), key = .key.display()
    )]
    KeyMissing { certificate: PathBuf, key: PathBuf },

    /// A key that is no authority's, and that nothing can be made from.
    #[error("{path}: {detail}; restore it from a backup, or remove it to have a new one made (tokens signed with it end)", path = .path.display())]
    Key { path: PathBuf, detail: String },

    /// A name that no certificate can carry.
    #[error("\"{name}\" cannot stand in a certificate: {detail}")]
    Name { name: String, detail: String },

    /// Making a key or a signature failed.
    #[error("cannot make {what}: {detail}")]
    Crypto { what: &'static str, detail: String },
}
