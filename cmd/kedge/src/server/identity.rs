//! Who the server is: its authority and certificate, kept right as addresses come and go and time passes.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kedge_apiserver::Tokens;
use kedge_controllers::Credentials;
use kedge_pki::{Authority, Kubeconfig, PkiError, ServerCertificate, SubjectNames};
use kedge_registry::Registry;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::config::{Config, nth};
use crate::tasks::Tasks;

/// Longest wait for the day that a certificate is due: clocks jump, and a late look is a lapse.
const LOOK: Duration = Duration::from_secs(24 * 3600);

pub struct Identity {
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    tokens: Arc<Tokens>,
    /// Names and addresses that do not change while the server runs.
    names: Vec<String>,
    fixed: Vec<IpAddr>,
}

impl Identity {
    /// Reads or makes the authority, the certificate and the key of tokens.
    pub fn load(config: &Config, hostname: &str, node: &[IpAddr]) -> Result<Self, PkiError> {
        let now = Timestamp::now();
        let authority = Arc::new(Authority::load_or_create(
            &config.data_dir.join("pki"),
            now,
        )?);
        let mut names: Vec<String> = SubjectNames::of_service(&config.cluster_domain).into();
        names.extend([hostname.to_string(), config.node_name.clone()]);
        names.retain(|name| !name.is_empty());
        let mut fixed: Vec<IpAddr> = vec![
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]),
        ];
        fixed.extend(config.service_cidrs.iter().filter_map(|net| nth(net, 1)));
        fixed.extend(
            config
                .listen
                .iter()
                .map(SocketAddr::ip)
                .filter(|ip| !ip.is_unspecified()),
        );
        let subject = subject(&names, &fixed, node);
        let certificate = ServerCertificate::load_or_issue(authority.clone(), &subject, now)?;
        let keys = Arc::new(authority.token_keys()?);
        let tokens = Arc::new(Tokens::new(keys, Tokens::issuer(&config.cluster_domain)));
        Ok(Self {
            authority,
            certificate,
            tokens,
            names,
            fixed,
        })
    }

    pub fn certificate(&self) -> Arc<ServerCertificate> {
        self.certificate.clone()
    }

    pub fn authority(&self) -> &CertificateDer<'static> {
        self.authority.certificate()
    }

    /// How service account tokens are made and verified.
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens)
    }

    /// What controllers sign with.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            authority: Arc::clone(&self.authority),
            token_keys: Arc::clone(&self.tokens.keys),
        }
    }

    /// Writes the administrator's kubeconfig, unless it stands there already.
    pub fn write_kubeconfig(
        &self,
        folder: &Path,
        listening: &[SocketAddr],
    ) -> Result<(), PkiError> {
        let admin = self.authority.admin(Timestamp::now())?;
        let server = format!("https://{}", local(listening));
        Kubeconfig::new(&server, &self.authority, &admin).write(&folder.join("kubeconfig.yaml"))?;
        Ok(())
    }

    /// Keeps the certificate, and the objects by which others find the API, in step with the node's addresses.
    pub fn follow(
        self,
        registry: Registry,
        mut node: watch::Receiver<Arc<[IpAddr]>>,
        port: u16,
        tasks: &mut Tasks,
    ) {
        tasks.spawn("the server's certificate", move |shutdown| async move {
            let mut shutdown = shutdown;
            loop {
                let due = Duration::try_from(self.certificate.renew_at().duration_since(Timestamp::now()));
                let due = tokio::time::sleep(due.unwrap_or_default().min(LOOK));
                let moved = tokio::select! {
                    () = &mut shutdown => return Ok(()),
                    changed = node.changed() => changed.is_ok(),
                    () = due => false,
                };
                let addresses = node.borrow_and_update().clone();
                match self.certificate.ensure(&subject(&self.names, &self.fixed, &addresses), Timestamp::now()) {
                    Ok(true) => tracing::info!("the server has a new certificate"),
                    Ok(false) => {}
                    Err(error) => tracing::error!(%error, "cannot renew the server's certificate"),
                }
                if moved && let Err(error) = registry.ensure_kubernetes_service(&addresses, port).await {
                    tracing::error!(%error, "cannot tell the kubernetes Service the node's new addresses");
                }
            }
        });
    }
}

fn subject(names: &[String], fixed: &[IpAddr], node: &[IpAddr]) -> SubjectNames {
    SubjectNames::new(names.iter().cloned(), fixed.iter().chain(node).copied())
}

/// Where a client on this machine reaches the API.
fn local(listening: &[SocketAddr]) -> SocketAddr {
    let first = listening
        .first()
        .copied()
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 6443)));
    match first.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], first.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => ([0, 0, 0, 0, 0, 0, 0, 1u16], first.port()).into(),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_client_finds_a_server_that_listens_everywhere() {
        for (listen, expected) in [
            ("0.0.0.0:6443", "127.0.0.1:6443"),
            ("[::]:7443", "[::1]:7443"),
            ("192.0.2.1:6443", "192.0.2.1:6443"),
        ] {
            assert_eq!(local(&[listen.parse().unwrap()]).to_string(), expected);
        }
    }
}
