//! Users by client certificate: the common name is the user, each organization a group.
//!
//! The handshake takes any certificate whose key the client holds; its chain is verified afterwards, once a
//! connection. So a certificate of another authority, or one that ran out, is answered with a 401 that says so in
//! the API's own words instead of a broken handshake, as kube-apiserver does it.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use jiff::Timestamp;
use kedge_machinery::Status;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConnection};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Authenticator, User};
use crate::{BindError, Tokens};

/// What a connection's handshake showed of the other side.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// Leaf first; empty when the client showed none.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The outcome of verifying them, found once and kept for the connection.
    identity: Identity,
}

#[derive(Debug, Clone, Default)]
enum Identity {
    #[default]
    None,
    Verified(User),
    Refused,
}

/// Verifies client certificates against the authorities, by a clock that does not believe in 1970: a certificate that was
/// made since the machine last knew the time has begun, whatever the clock shows.
pub struct ClientCertificates {
    tokens: Arc<Tokens>,
    /// `None` when there is no authority, so that no certificate is good.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertificates {
    /// With these authorities.
    pub fn new(
        authorities: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
        tokens: Arc<Tokens>,
    ) -> Result<Self, BindError> {
        if authorities.is_empty() {
            return Ok(Self {
                tokens,
                verifier: None,
            });
        }
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots
                .add(authority.clone())
                .map_err(|error| BindError::Tls(format!("client authority: {error}")))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| BindError::Tls(format!("client authorities: {error}")))?;
        Ok(Self {
            tokens,
            verifier: Some(verifier),
        })
    }

    /// What the connection showed, verified.
    #[must_use]
    pub fn peer(&self, connection: &ServerConnection) -> Peer {
        let certificates: Vec<_> = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|c| c.clone().into_owned())
            .collect();
        let identity = match certificates.split_first() {
            None => Identity::None,
            Some((leaf, chain)) => self.verify(leaf, chain).map_or_else(
                |why| {
                    tracing::debug!(why, "client certificate refused");
                    Identity::Refused
                },
                Identity::Verified,
            ),
        };
        Peer {
            certificates,
            identity,
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
    ) -> Result<User, String> {
        let verifier = self
            .verifier
            .as_ref()
            .ok_or("there is no authority for clients")?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
        let begin = Timestamp::from_second(parsed.validity().not_before.timestamp());
        let at = self
            .tokens
            .clock
            .at_least(begin.unwrap_or(Timestamp::UNIX_EPOCH), Timestamp::now());
        let seconds = Duration::from_secs(at.as_second().max(0).unsigned_abs());
        verifier
            .verify_client_cert(leaf, chain, UnixTime::since_unix_epoch(seconds))
            .map_err(|error| error.to_string())?;
        let texts = |attributes: &mut dyn Iterator<Item = Option<String>>| {
            attributes.flatten().collect::<Vec<_>>()
        };
        let subject = parsed.subject();
        let name = texts(
            &mut subject
                .iter_common_name()
                .map(|value| value.as_str().ok().map(Into::into)),
        )
        .pop();
        Ok(User {
            name: name
                .filter(|name| !name.is_empty())
                .ok_or("the certificate has no common name")?,
            groups: texts(
                &mut subject
                    .iter_organization()
                    .map(|value| value.as_str().ok().map(Into::into)),
            ),
            extra: vec![(CREDENTIAL_ID.into(), vec![credential_id(leaf)])],
            ..User::default()
        })
    }
}

/// Where a user's certificate is told (upstream: `user.CredentialIDKey`).
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// `X509SHA256=` and the certificate's hash in hexadecimal.
fn credential_id(certificate: &CertificateDer<'_>) -> String {
    let hash = kedge_pki::fingerprint(certificate);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X509SHA256={hex}")
}

impl Authenticator for ClientCertificates {
    fn authenticate(&self, _: &Parts, peer: &Peer) -> Result<Option<User>, Status> {
        match &peer.identity {
            Identity::None => Ok(None),
            Identity::Verified(user) => Ok(Some(user.clone())),
            Identity::Refused => Err(Status::unauthorized()),
        }
    }
}
