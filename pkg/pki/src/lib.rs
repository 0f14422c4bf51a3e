//! The authority, the certificates that it signs, the administrator's kubeconfig, and service account tokens.
//!
//! Everything lives in one folder (0700; keys 0600) and is written only when what stands there is no longer
//! right. No check needs a right clock: validity begins in 1970, and ends counted from the later of the clock
//! and a date that this program cannot be older than (see [`validity`]).
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod authority;
mod certificate;
pub mod claims;
mod error;
mod files;
mod fingerprint;
pub mod jws;
mod key;
mod kubeconfig;
mod leaf;
mod names;
mod pair;
mod request;
mod server;
mod token_clock;
mod token_keys;
pub mod usage;
pub mod validity;

pub use authority::Authority;
pub use error::PkiError;
pub use fingerprint::{fingerprint, is_same_secret};
pub use key::PrivateKey;
pub use kubeconfig::Kubeconfig;
pub use leaf::ClientCertificate;
pub use names::SubjectNames;
pub use pair::check_pair;
pub use request::{AlternativeNames, CertificateRequest, check_certificate};
pub use server::ServerCertificate;
pub use token_clock::TokenClock;
pub use token_keys::{Token, TokenKeys, unverified_issuer};
pub use usage::Usage;
