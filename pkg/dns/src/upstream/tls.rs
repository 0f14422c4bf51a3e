//! DNS over TLS (RFC 7858): connections that are used again while the resolver keeps them.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::exchange::stream_exchange;
use crate::message::{Answered, Asked};

/// Where distributions keep the certificates of the authorities that they trust.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Connections that are kept for the next question.
const MAX_IDLE: usize = 2;
/// How long one may have been silent to be used again: resolvers tend to close them after ten seconds.
const MAX_SILENCE: Duration = Duration::from_secs(8);

/// The authorities, read when the first connection needs them: many resolvers are never asked this way.
#[derive(Debug)]
pub struct Authorities {
    file: Option<PathBuf>,
    connector: OnceLock<ClientConfigOrNone>,
}

type ClientConfigOrNone = Option<Arc<ClientConfig>>;

impl Authorities {
    /// Those in a file of certificates (PEM), or those that the system trusts.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            connector: OnceLock::new(),
        }
    }

    fn connector(&self) -> Result<TlsConnector> {
        let config = self.connector.get_or_init(|| {
            let files = SYSTEM.map(Path::new);
            let file = match &self.file {
                Some(file) => file.as_path(),
                None => files.into_iter().find(|file| file.is_file())?,
            };
            match load(file) {
                Ok(config) => Some(config),
                Err(error) => {
                    tracing::error!(
                        "cannot read the certificates of authorities in {}: {error}; DNS over TLS needs them",
                        file.display()
                    );
                    None
                }
            }
        });
        let none = "no certificates of authorities: install the package ca-certificates, or name a file with --dns-tls-ca";
        let config = config
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::NotFound, none))?;
        Ok(TlsConnector::from(config.clone()))
    }
}

fn load(file: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(Error::other)? {
        // A system's file may hold one that is not understood; the others serve.
        let _ = roots.add(certificate.map_err(Error::other)?);
    }
    if roots.is_empty() {
        return Err(Error::new(ErrorKind::InvalidData, "there is none"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The connections to one resolver.
#[derive(Debug)]
pub struct Secure {
    name: ServerName<'static>,
    authorities: Arc<Authorities>,
    idle: Mutex<Vec<(TlsStream<TcpStream>, Instant)>>,
}

impl Secure {
    pub fn new(address: SocketAddr, name: Option<&str>, authorities: Arc<Authorities>) -> Self {
        let named = name.and_then(|name| ServerName::try_from(name.to_string()).ok());
        Self {
            name: named.unwrap_or_else(|| ServerName::IpAddress(address.ip().into())),
            authorities,
            idle: Mutex::default(),
        }
    }

    /// Asks over a connection that is there, else over a new one.
    pub async fn ask(&self, server: SocketAddr, asked: &Asked) -> Result<Answered> {
        if let Some(mut stream) = self.take()
            && let Ok(answer) = stream_exchange(&mut stream, asked).await
        {
            self.put_back(stream);
            return Ok(answer);
        }
        let connector = self.authorities.connector()?;
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut stream = connector.connect(self.name.clone(), stream).await?;
        let answer = stream_exchange(&mut stream, asked).await?;
        self.put_back(stream);
        Ok(answer)
    }

    fn take(&self) -> Option<TlsStream<TcpStream>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < MAX_SILENCE);
        idle.pop().map(|(stream, _)| stream)
    }

    fn put_back(&self, stream: TlsStream<TcpStream>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push((stream, Instant::now()));
        }
    }
}
