//! The certificate authority of one cluster.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose,
    PublicKeyData,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::{self, Access};
use crate::leaf::{self, ClientCertificate, Subject};
use crate::{CertificateRequest, PkiError, PrivateKey, TokenKeys, Usage, certificate, validity};

/// Signs server and client certificates. Made once, kept for ever; the same one verifies both.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, rcgen::KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    /// Reads `ca.crt` and `ca.key` in `folder`, or makes them. The clock is not asked: an authority does not end.
    ///
    /// A key without its certificate (power cut between the two writes) gets a new certificate of the same name.
    pub fn load_or_create(folder: &Path, _now: Timestamp) -> Result<Self, PkiError> {
        files::make_folder(folder)?;
        let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
        let stands = files::read(&certificate, Access::Public)?;
        let pair = match (files::read(&key, Access::Private)?, &stands) {
            (Some(pem), _) => PrivateKey::from_pem(&pem).map_err(|detail| PkiError::Corrupt {
                path: key.clone(),
                detail,
            })?,
            (None, Some(_)) => return Err(PkiError::KeyMissing { certificate, key }),
            (None, None) => {
                let pair = PrivateKey::generate()?;
                files::write(&key, &pair.to_pem(), Access::Private)?;
                pair
            }
        };
        let pem = match stands {
            Some(pem) => pem,
            None => {
                let pem = self_signed(&pair)?;
                files::write(&certificate, &pem, Access::Public)?;
                pem
            }
        };
        let corrupt = |detail: String| PkiError::Corrupt {
            path: certificate.clone(),
            detail,
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| corrupt("it holds no certificate in PEM".into()))?;
        check(&der, &pair, &certificate, &key)?;
        let issuer =
            Issuer::from_ca_cert_der(&der, pair.0).map_err(|error| corrupt(error.to_string()))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            issuer,
            der,
            pem,
        })
    }

    /// The authority's certificate in PEM, as kubeconfigs and `kube-root-ca.crt` carry it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate in DER: the root for verifying clients.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The administrator's client certificate: `kubernetes-admin` in `system:masters`, in `admin.crt` and `admin.key`.
    pub fn admin(&self, now: Timestamp) -> Result<ClientCertificate, PkiError> {
        self.client("admin", "kubernetes-admin", "system:masters", now)
    }

    /// A client certificate for a user and its group, kept as `FILE.crt` and `FILE.key`; made again when it is
    /// damaged, for somebody else, or in the last third of its life.
    pub fn client(
        &self,
        file: &str,
        user: &str,
        group: &str,
        now: Timestamp,
    ) -> Result<ClientCertificate, PkiError> {
        leaf::load_or_issue(self, file, &Subject::Client { user, group }, now)
            .map(ClientCertificate)
    }

    /// The keys of service account tokens; the one that signs is made when first asked for.
    pub fn token_keys(&self) -> Result<TokenKeys, PkiError> {
        TokenKeys::load_or_create(&self.folder)
    }

    /// A certificate in PEM for what a request asks, valid from a little before now for `life`.
    ///
    /// The requester's subject, key and alternative names are taken as they are, and nothing else of the request: who may have them is the
    /// caller's to judge.
    pub fn sign_request(
        &self,
        request: &CertificateRequest,
        usages: &[Usage],
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<String, PkiError> {
        certificate::issue(
            &self.der,
            self.issuer.key(),
            request,
            usages,
            validity::span(life, now),
        )
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &PrivateKey,
    ) -> Result<String, PkiError> {
        params
            .signed_by(&key.0, &self.issuer)
            .map(|certificate| certificate.pem())
            .map_err(|error| PkiError::Crypto {
                what: "a certificate",
                detail: error.to_string(),
            })
    }

    /// Whether this authority signed the certificate.
    pub(crate) fn signed(&self, certificate: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.der)
            .is_ok_and(|(_, own)| certificate.verify_signature(Some(own.public_key())).is_ok())
    }
}

fn self_signed(key: &PrivateKey) -> Result<String, PkiError> {
    let mut params = CertificateParams::default();
    // Part of the key's own id: two authorities never share a name, and one key always gives the same.
    let id = params.key_identifier(&key.0);
    let id: String = id
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("kedge-ca-{id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    validity::set(&mut params, validity::NEVER);
    params
        .self_signed(&key.0)
        .map(|certificate| certificate.pem())
        .map_err(|error| PkiError::Crypto {
            what: "the authority's certificate",
            detail: error.to_string(),
        })
}

fn check(
    der: &CertificateDer<'_>,
    pair: &PrivateKey,
    certificate: &Path,
    key: &Path,
) -> Result<(), PkiError> {
    let corrupt = |detail: String| PkiError::Corrupt {
        path: certificate.to_path_buf(),
        detail,
    };
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| corrupt(error.to_string()))?;
    if *parsed.public_key().subject_public_key.data != *pair.0.der_bytes() {
        return Err(PkiError::Mismatch {
            certificate: certificate.to_path_buf(),
            key: key.to_path_buf(),
        });
    }
    if !parsed.is_ca() {
        return Err(corrupt("it is no authority's certificate".into()));
    }
    Ok(())
}
