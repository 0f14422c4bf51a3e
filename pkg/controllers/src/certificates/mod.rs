//! Certificates for whoever asks for one and is approved (upstream: `pkg/controller/certificates`).

mod csr;
mod signer;
mod signers;

pub(crate) use signer::Signer;
