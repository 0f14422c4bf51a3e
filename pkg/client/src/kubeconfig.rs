//! Kubeconfig files: which server, which authority, which credentials.
//!
//! Read as kubectl reads them (client-go `tools/clientcmd/api/v1`): relative paths are relative to the file, data
//! wins over a file, and what is not known here (extensions, exec plugins) is passed over.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    #[error("cannot read {path}: {source}; --kubeconfig or $KUBECONFIG name another", path = .path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is no kubeconfig: {detail}", path = .path.display())]
    Syntax { path: PathBuf, detail: String },
    #[error("{path}: {detail}", path = .path.display())]
    Content { path: PathBuf, detail: String },
}

/// The current context of a kubeconfig, files read and data decoded.
#[derive(Clone, Default)]
pub struct Kubeconfig {
    /// URL of the API, for example `https://127.0.0.1:6443`.
    pub server: String,
    /// PEM of the authorities that the server's certificate is verified with; empty leaves it to `insecure`.
    pub authority: Vec<u8>,
    /// Verify nothing: `insecure-skip-tls-verify`.
    pub insecure: bool,
    /// Name to verify the certificate for instead of the URL's host: `tls-server-name`.
    pub server_name: Option<String>,
    /// PEM of the client's certificate and of its key.
    pub client: Option<ClientPem>,
    pub token: Option<String>,
    /// The context's namespace; `default` where it has none.
    pub namespace: String,
}

/// A client certificate with its key, both PEM.
#[derive(Clone)]
pub struct ClientPem {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientPem(..)")
    }
}

/// Shows neither key nor token.
impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig")
            .field("server", &self.server)
            .field("insecure", &self.insecure)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads the file's current context.
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| KubeconfigError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let file: File =
            serde_saphyr::from_str(&text).map_err(|error| KubeconfigError::Syntax {
                path: path.to_path_buf(),
                detail: error.to_string(),
            })?;
        Loader { path }.load(file)
    }

    /// Where kubectl would look: `$KUBECONFIG` (its first entry), else `fallback`.
    #[must_use]
    pub fn locate(fallback: &Path) -> PathBuf {
        std::env::var_os("KUBECONFIG")
            .and_then(|paths| {
                std::env::split_paths(&paths).find(|path| !path.as_os_str().is_empty())
            })
            .unwrap_or_else(|| fallback.to_path_buf())
    }
}

struct Loader<'a> {
    path: &'a Path,
}

impl Loader<'_> {
    fn load(&self, file: File) -> Result<Kubeconfig, KubeconfigError> {
        let context = find(&file.contexts, &file.current_context)
            .ok_or_else(|| {
                self.wrong(format!(
                    "there is no context \"{}\" (current-context)",
                    file.current_context
                ))
            })?
            .context
            .clone();
        let cluster = &find(&file.clusters, &context.cluster)
            .ok_or_else(|| self.wrong(format!("there is no cluster \"{}\"", context.cluster)))?
            .cluster;
        let no_user = User::default();
        let user = match context.user.as_str() {
            "" => &no_user,
            name => {
                &find(&file.users, name)
                    .ok_or_else(|| self.wrong(format!("there is no user \"{name}\"")))?
                    .user
            }
        };
        let what = "certificate-authority";
        let authority = self.blob(
            what,
            &cluster.certificate_authority_data,
            &cluster.certificate_authority,
        )?;
        let what = "client-certificate";
        let certificate = self.blob(
            what,
            &user.client_certificate_data,
            &user.client_certificate,
        )?;
        let key = self.blob("client-key", &user.client_key_data, &user.client_key)?;
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(ClientPem { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(self.wrong(
                    "client-certificate and client-key go together; one is missing".into(),
                ));
            }
        };
        Ok(Kubeconfig {
            server: cluster.server.clone(),
            authority: authority.unwrap_or_default(),
            insecure: cluster.insecure_skip_tls_verify,
            server_name: cluster
                .tls_server_name
                .clone()
                .filter(|name| !name.is_empty()),
            client,
            token: self.token(user)?,
            namespace: context
                .namespace
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "default".into()),
        })
    }

    fn token(&self, user: &User) -> Result<Option<String>, KubeconfigError> {
        if let Some(token) = user.token.clone().filter(|token| !token.is_empty()) {
            return Ok(Some(token));
        }
        let read = self.blob("tokenFile", &None, &user.token_file)?;
        Ok(read.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_string()))
    }

    /// What is given as base64 data or, where that is not, as a file's name.
    fn blob(
        &self,
        what: &str,
        data: &Option<String>,
        file: &Option<PathBuf>,
    ) -> Result<Option<Vec<u8>>, KubeconfigError> {
        if let Some(data) = data.as_deref().filter(|data| !data.is_empty()) {
            return match STANDARD.decode(data) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(self.wrong(format!("{what}-data is no base64: {error}"))),
            };
        }
        let Some(file) = file.as_deref().filter(|file| !file.as_os_str().is_empty()) else {
            return Ok(None);
        };
        let file = self.path.parent().unwrap_or(Path::new("")).join(file);
        std::fs::read(&file)
            .map(Some)
            .map_err(|error| self.wrong(format!("{what}: cannot read {}: {error}", file.display())))
    }

    fn wrong(&self, detail: String) -> KubeconfigError {
        KubeconfigError::Content {
            path: self.path.to_path_buf(),
            detail,
        }
    }
}

trait Named {
    fn name(&self) -> &str;
}

fn find<'a, T: Named>(list: &'a [T], name: &str) -> Option<&'a T> {
    list.iter().find(|item| item.name() == name)
}

macro_rules! named {
    ($($item:ident { $field:ident: $inner:ident })*) => { $(
        #[derive(Deserialize)]
        struct $item {
            name: String,
            #[serde(default)]
            $field: $inner,
        }

        impl Named for $item {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )* };
}

named! {
    NamedCluster { cluster: Cluster }
    NamedUser { user: User }
    NamedContext { context: Context }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Kubeconfig, KubeconfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("ca.pem"), "authority").unwrap();
        Kubeconfig::read(&path)
    }

    const WHOLE: &str = "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: two\n\
        clusters:\n- name: c\n  cluster: {server: 'https://h:1', certificate-authority: ca.pem, tls-server-name: n}\n\
        users:\n- name: u\n  user: {client-certificate-data: Y2VydA==, client-key-data: a2V5, token: t}\n\
        contexts:\n- name: one\n  context: {cluster: x, user: y}\n- name: two\n  context: {cluster: c, user: u, namespace: ns}\n";

    #[test]
    fn the_current_context_is_taken_with_files_beside_it() {
        let config = read(WHOLE).unwrap();
        assert_eq!(config.server, "https://h:1");
        assert_eq!(config.authority, b"authority");
        assert_eq!(config.server_name.as_deref(), Some("n"));
        let client = config.client.as_ref().unwrap();
        assert_eq!(
            (client.certificate.as_slice(), client.key.as_slice()),
            (&b"cert"[..], &b"key"[..])
        );
        assert_eq!(config.token.as_deref(), Some("t"));
        assert_eq!(config.namespace, "ns");
        assert!(!format!("{config:?}").contains("key"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |text: String| read(&text).unwrap_err().to_string();
        assert!(
            error(WHOLE.replace("current-context: two", "current-context: three"))
                .contains("\"three\"")
        );
        assert!(error(WHOLE.replace("cluster: c,", "cluster: d,")).contains("no cluster \"d\""));
        assert!(error(WHOLE.replace("user: u,", "user: v,")).contains("no user \"v\""));
        assert!(error(WHOLE.replace("client-key-data: a2V5, ", "")).contains("one is missing"));
        assert!(error(WHOLE.replace("Y2VydA==", "???")).contains("client-certificate-data"));
        assert!(error(WHOLE.replace("ca.pem", "no.pem")).contains("no.pem"));
        assert!(error("[1, 2".into()).contains("is no kubeconfig"));
    }

    #[test]
    fn a_user_is_not_needed() {
        let config = read(&WHOLE.replace(", user: u", "")).unwrap();
        assert!(config.client.is_none() && config.token.is_none());
    }

    #[test]
    fn a_missing_file_says_where_to_look() {
        let error = Kubeconfig::read(Path::new("/nowhere/config"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/config") && error.contains("--kubeconfig"),
            "{error}"
        );
    }
}
