//! The server's certificate, replaced while the server runs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use crate::leaf::{self, Leaf, Subject};
use crate::{Authority, PkiError, SubjectNames, validity};

/// What the TLS listener serves. Handshakes that are under way keep the certificate that they began with.
#[derive(Debug)]
pub struct ServerCertificate {
    authority: Arc<Authority>,
    current: RwLock<Current>,
    /// Held while a certificate is made, so that two changes of address cannot cross.
    making: Mutex<()>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl ServerCertificate {
    /// Reads `server.crt` and `server.key`, or makes them, for exactly these names.
    pub fn load_or_issue(
        authority: Arc<Authority>,
        names: &SubjectNames,
        now: Timestamp,
    ) -> Result<Arc<Self>, PkiError> {
        let current = RwLock::new(load(&authority, names, now)?);
        Ok(Arc::new(Self {
            authority,
            current,
            making: Mutex::new(()),
        }))
    }

    /// Makes a new certificate when the names differ from those it has or two thirds of its life are over.
    /// To be called when an address comes or goes, and at [`Self::renew_at`]. True when it was replaced.
    pub fn ensure(&self, names: &SubjectNames, now: Timestamp) -> Result<bool, PkiError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = load(&self.authority, names, now)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = fresh.key.cert != current.key.cert;
        *current = fresh;
        Ok(changed)
    }

    /// When [`Self::ensure`] is due though no address changes. A clock that is wrong in the past only delays it.
    #[must_use]
    pub fn renew_at(&self) -> Timestamp {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .renew_at
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self
                .current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .key,
        ))
    }
}

fn load(authority: &Authority, names: &SubjectNames, now: Timestamp) -> Result<Current, PkiError> {
    let Leaf {
        certificate,
        key,
        not_after,
        ..
    } = leaf::load_or_issue(authority, "server", &Subject::Server(names), now)?;
    let secret =
        PrivateKeyDer::try_from(key.der().to_vec()).map_err(|detail| PkiError::Crypto {
            what: "the server's key",
            detail: detail.into(),
        })?;
    let signer = any_supported_type(&secret).map_err(|error| PkiError::Crypto {
        what: "the server's key",
        detail: error.to_string(),
    })?;
    Ok(Current {
        key: Arc::new(CertifiedKey::new(vec![certificate], signer)),
        renew_at: validity::renew_at(not_after),
    })
}
