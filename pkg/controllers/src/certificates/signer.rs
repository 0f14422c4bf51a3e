//! Signs what was approved.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status};
use kedge_pki::{Authority, Usage};
use tracing::{info, warn};

use super::csr::{self, Csr};
use super::signers;
use crate::engine::{Reconcile, Write};
use crate::view;

/// How long a certificate lives at most, and when nothing is said (upstream: `--cluster-signing-duration`, a year).
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);
/// And at least.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// The controller.
pub(crate) struct Signer {
    authority: Arc<Authority>,
    due: BTreeSet<ObjectKey>,
}

impl Signer {
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        Self {
            authority,
            due: BTreeSet::new(),
        }
    }

    /// The request with its answer: a certificate, or why there is none.
    fn answered(&self, mut object: Object, now: Timestamp) -> Result<Option<Object>, Status> {
        let Ok(csr) = serde_json::from_value::<Csr>(object.clone().into_value()) else {
            return Ok(None);
        };
        let signer = signers::Signer::parse(&csr.spec.signer_name);
        let Some(signer) = signer.filter(|_| csr.awaits_certificate()) else {
            return Ok(None);
        };
        let request = csr.request().and_then(|request| {
            signer.check(&request, &csr.spec.usages)?;
            Ok(request)
        });
        match request {
            Err(why) => {
                csr::add_condition(&mut object, "Failed", "SignerValidationFailure", &why, now);
            }
            Ok(request) => {
                let words = csr.spec.usages.iter();
                let usages: Vec<Usage> = words.filter_map(|word| Usage::parse(word)).collect();
                let life = csr.spec.expiration_seconds.map_or(LONGEST, |seconds| {
                    SignedDuration::from_secs(seconds).clamp(SHORTEST, LONGEST)
                });
                let signed = self.authority.sign_request(&request, &usages, life, now);
                let pem = signed.map_err(|error| Status::internal(error.to_string()))?;
                csr::set_certificate(&mut object, &pem);
                info!("signed {} for {}", object.name(), request.common_name);
            }
        }
        Ok(Some(object))
    }
}

impl Reconcile for Signer {
    const NAME: &'static str = "certificate-signer";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::CERTIFICATESIGNINGREQUESTS]
    }

    fn observe(&mut self, change: &Change) {
        let csr = change.object.as_ref().and_then(view::read::<Csr>);
        let ours = csr.is_some_and(|csr| {
            csr.awaits_certificate() && signers::Signer::parse(&csr.spec.signer_name).is_some()
        });
        if ours {
            self.due.insert(change.key.clone());
        } else {
            self.due.remove(&change.key);
        }
    }

    async fn plan(&mut self, client: &SharedClient, now: Timestamp) -> Vec<Write> {
        let mut writes = Vec::new();
        for about in std::mem::take(&mut self.due) {
            let answered = match client.get(&about).await {
                Ok(object) => self.answered(object, now),
                Err(status) if status.is_not_found() => Ok(None),
                Err(status) => Err(status),
            };
            match answered {
                Ok(Some(object)) => {
                    let resource = Resource::CERTIFICATESIGNINGREQUESTS;
                    writes.push(Write::update(&about, resource, "status", object));
                }
                Ok(None) => {}
                Err(status) => warn!("cannot sign {}: {status}", about.name),
            }
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        self.due.insert(about.clone());
    }
}

#[cfg(test)]
#[path = "signer_tests.rs"]
mod tests;
