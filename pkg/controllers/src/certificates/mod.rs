//! Certificates for whoever asks for one and is approved (upstream: `pkg/controller/certificates`).

mod approver;
mod csr;
mod signer;
mod signers;
#[cfg(test)]
mod testing;

pub(crate) use approver::Approver;
pub(crate) use signer::Signer;
