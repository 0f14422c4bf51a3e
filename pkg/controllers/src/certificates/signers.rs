//! Whose certificates are signed here, and what each signer takes (`certificates.k8s.io/v1`; upstream:
//! `pkg/apis/certificates/helpers.go`, `pkg/controller/certificates/signer`).

use std::collections::BTreeSet;

use kedge_pki::CertificateRequest;

/// A signer of this cluster's authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    /// Users of the API.
    Client,
    /// Nodes, as users of the API.
    KubeletClient,
    /// Nodes, as servers.
    KubeletServing,
}

impl Signer {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "kubernetes.io/kube-apiserver-client" => Self::Client,
            "kubernetes.io/kube-apiserver-client-kubelet" => Self::KubeletClient,
            "kubernetes.io/kubelet-serving" => Self::KubeletServing,
            _ => return None,
        })
    }

    /// Whether a request is one that this signer signs; what is wrong with it otherwise.
    pub(super) fn check(
        self,
        request: &CertificateRequest,
        usages: &[String],
    ) -> Result<(), String> {
        let usages: BTreeSet<&str> = usages.iter().map(String::as_str).collect();
        match self {
            Self::Client => client(&usages),
            Self::KubeletClient => kubelet_client(request, &usages),
            Self::KubeletServing => kubelet_serving(request, &usages),
        }
    }
}

fn client(usages: &BTreeSet<&str>) -> Result<(), String> {
    const KNOWN: [&str; 3] = ["client auth", "digital signature", "key encipherment"];
    if let Some(other) = usages.iter().find(|usage| !KNOWN.contains(usage)) {
        return Err(format!("invalid usage for client certificate: {other}"));
    }
    if !usages.contains("client auth") {
        return Err("missing required usage for client certificate: client auth".into());
    }
    Ok(())
}

fn kubelet_client(request: &CertificateRequest, usages: &BTreeSet<&str>) -> Result<(), String> {
    nodes(request)?;
    let names = request.names;
    let refused = [
        (names.dns, "DNS"),
        (names.emails, "Email"),
        (names.addresses, "IP"),
        (names.uris, "URI"),
    ];
    if let Some((_, kind)) = refused.iter().find(|(count, _)| *count > 0) {
        return Err(format!("{kind} subjectAltNames are not allowed"));
    }
    node(request)?;
    exactly(usages, "client auth")
}

fn kubelet_serving(request: &CertificateRequest, usages: &BTreeSet<&str>) -> Result<(), String> {
    nodes(request)?;
    let names = request.names;
    if names.dns == 0 && names.addresses == 0 {
        return Err("DNS or IP subjectAltName is required".into());
    }
    if names.emails > 0 {
        return Err("Email subjectAltNames are not allowed".into());
    }
    if names.uris > 0 {
        return Err("URI subjectAltNames are not allowed".into());
    }
    exactly(usages, "server auth")?;
    node(request)
}

fn nodes(request: &CertificateRequest) -> Result<(), String> {
    if request.organizations == ["system:nodes"] {
        return Ok(());
    }
    Err("subject organization is not system:nodes".into())
}

fn node(request: &CertificateRequest) -> Result<(), String> {
    if request.common_name.starts_with("system:node:") {
        return Ok(());
    }
    Err("subject common name does not begin with system:node:".into())
}

/// A signature and one purpose; keys of RSA also encipher.
fn exactly(usages: &BTreeSet<&str>, purpose: &'static str) -> Result<(), String> {
    let most = BTreeSet::from([purpose, "digital signature", "key encipherment"]);
    let least = BTreeSet::from([purpose, "digital signature"]);
    if *usages == most || *usages == least {
        return Ok(());
    }
    let list: Vec<&str> = most.into_iter().collect();
    Err(format!("usages did not match [{}]", list.join(" ")))
}
