//! The administrator's kubeconfig, everything embedded.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::files::{self, Access};
use crate::{Authority, ClientCertificate, PkiError};

/// A kubeconfig of one cluster, one user, one context (all named `kedge`).
pub struct Kubeconfig {
    text: String,
}

impl Kubeconfig {
    /// `server` is a URL, for example `https://127.0.0.1:6443`.
    #[must_use]
    pub fn new(server: &str, authority: &Authority, client: &ClientCertificate) -> Self {
        let text = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             current-context: kedge\n\
             clusters:\n\
             - name: kedge\n  cluster:\n    server: {server}\n    certificate-authority-data: {authority}\n\
             users:\n\
             - name: kedge\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n\
             contexts:\n\
             - name: kedge\n  context:\n    cluster: kedge\n    user: kedge\n",
            authority = STANDARD.encode(authority.pem()),
            certificate = STANDARD.encode(client.pem()),
            key = STANDARD.encode(client.key().to_pem()),
        );
        Self { text }
    }

    /// The YAML. It holds the private key.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it (0600) when it does not stand at `path` already; true when it was written.
    pub fn write(&self, path: &Path) -> Result<bool, PkiError> {
        files::write(path, &self.text, Access::Private)
    }
}

impl std::fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kubeconfig(..)")
    }
}
