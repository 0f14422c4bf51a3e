//! Server and client certificates: kept while they are right, made again when they are not.
//!
//! Unlike the authority, a leaf that is damaged is no loss: it is replaced, and the log says why.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PublicKeyData, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::files::{self, Access};
use crate::{Authority, PkiError, PrivateKey, SubjectNames, validity};

/// Whom a certificate speaks for.
pub(crate) enum Subject<'a> {
    Server(&'a SubjectNames),
    Client { user: &'a str, group: &'a str },
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub certificate: CertificateDer<'static>,
    pub pem: String,
    pub key: PrivateKey,
    pub not_after: Timestamp,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct ClientCertificate(pub(crate) Leaf);

impl ClientCertificate {
    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.0.key
    }

    /// When it should be made again.
    #[must_use]
    pub fn renew_at(&self) -> Timestamp {
        validity::renew_at(self.0.not_after)
    }
}

/// Reads `FILE.crt` and `FILE.key`; makes both when they are not there or not right.
pub(crate) fn load_or_issue(
    authority: &Authority,
    file: &str,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Leaf, PkiError> {
    let certificate = authority.folder().join(format!("{file}.crt"));
    let key = authority.folder().join(format!("{file}.key"));
    if let (Some(pem), Some(secret)) = (
        files::read(&certificate, Access::Public)?,
        files::read(&key, Access::Private)?,
    ) {
        match accept(authority, pem, &secret, subject, now) {
            Ok(leaf) => return Ok(leaf),
            Err(why) => {
                tracing::info!(path = %certificate.display(), why, "certificate made again")
            }
        }
    }
    let leaf = issue(authority, subject, now)?;
    // Key first: a power cut in between leaves a pair that does not match, which the next start replaces.
    files::write(&key, &leaf.key.to_pem(), Access::Private)?;
    files::write(&certificate, &leaf.pem, Access::Public)?;
    Ok(leaf)
}

/// The pair, when it is this authority's, for this subject, and not due for renewal; else what is wrong.
fn accept(
    authority: &Authority,
    pem: String,
    secret: &str,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Leaf, String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "it holds no certificate in PEM")?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
    let key = PrivateKey::from_pem(secret)?;
    if *parsed.public_key().subject_public_key.data != *key.0.der_bytes() {
        return Err("it does not belong to its key".into());
    }
    if !authority.signed(&parsed) {
        return Err("another authority signed it".into());
    }
    if !speaks_for(&parsed, subject) {
        return Err("its names are not the ones wanted now".into());
    }
    let not_after =
        Timestamp::from_second(parsed.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
    if now >= validity::renew_at(not_after) {
        return Err("two thirds of its life are over".into());
    }
    Ok(Leaf {
        certificate: der,
        pem,
        key,
        not_after,
    })
}

fn speaks_for(certificate: &X509Certificate<'_>, subject: &Subject<'_>) -> bool {
    match subject {
        Subject::Server(names) => names_of(certificate) == **names,
        Subject::Client { user, group } => {
            let one = |mut values: Box<dyn Iterator<Item = Option<String>> + '_>, want: &str| {
                values.next().flatten().as_deref() == Some(want) && values.next().is_none()
            };
            let name = certificate.subject();
            one(
                Box::new(
                    name.iter_common_name()
                        .map(|v| v.as_str().ok().map(Into::into)),
                ),
                user,
            ) && one(
                Box::new(
                    name.iter_organization()
                        .map(|v| v.as_str().ok().map(Into::into)),
                ),
                group,
            )
        }
    }
}

fn names_of(certificate: &X509Certificate<'_>) -> SubjectNames {
    let mut names = SubjectNames {
        dns: BTreeSet::new(),
        addresses: BTreeSet::new(),
    };
    let extension = certificate.subject_alternative_name().ok().flatten();
    for name in extension
        .iter()
        .flat_map(|extension| &extension.value.general_names)
    {
        match name {
            GeneralName::DNSName(name) => {
                names.dns.insert((*name).to_string());
            }
            GeneralName::IPAddress(octets) => {
                names.addresses.extend(address(octets));
            }
            _ => {}
        }
    }
    names
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

fn issue(authority: &Authority, subject: &Subject<'_>, now: Timestamp) -> Result<Leaf, PkiError> {
    let key = PrivateKey::generate()?;
    let end = validity::end(now);
    let mut params = params(subject)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    validity::set(&mut params, end);
    let not_after =
        Timestamp::from_second(params.not_after.unix_timestamp()).unwrap_or(Timestamp::MAX);
    let pem = authority.sign(&params, &key)?;
    let certificate =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| PkiError::Crypto {
            what: "a certificate",
            detail: error.to_string(),
        })?;
    Ok(Leaf {
        certificate,
        pem,
        key,
        not_after,
    })
}

fn params(subject: &Subject<'_>) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    match subject {
        Subject::Server(names) => {
            params.distinguished_name.push(DnType::CommonName, "kedge");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            for name in &names.dns {
                let text =
                    name.as_str()
                        .try_into()
                        .map_err(|error: rcgen::Error| PkiError::Name {
                            name: name.clone(),
                            detail: error.to_string(),
                        })?;
                params.subject_alt_names.push(SanType::DnsName(text));
            }
            params
                .subject_alt_names
                .extend(names.addresses.iter().copied().map(SanType::IpAddress));
        }
        Subject::Client { user, group } => {
            params
                .distinguished_name
                .push(DnType::OrganizationName, *group);
            params.distinguished_name.push(DnType::CommonName, *user);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
    }
    Ok(params)
}
