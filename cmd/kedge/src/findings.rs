//! What the machine lacks, from every part that looks.

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The server cannot run with it.
    pub fatal: bool,
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// Everything that is found; nothing is changed by looking.
pub async fn all() -> Vec<Finding> {
    let addresses = kedge_addresses::probe()
        .await
        .into_iter()
        .map(|found| Finding {
            fatal: found.severity == kedge_addresses::Severity::Fatal,
            what: found.what,
            advice: found.remedy,
        });
    let mut all: Vec<Finding> = addresses.collect();
    let proxy = tokio::task::spawn_blocking(kedge_proxy::probe)
        .await
        .unwrap_or_default();
    // Without the capability nothing can be tried: one line says it.
    let denied = all.iter().any(|found| found.what.contains("CAP_NET_ADMIN"));
    all.extend(proxy.into_iter().filter(|_| !denied).map(|found| Finding {
        fatal: found.severity == kedge_proxy::Severity::Error,
        what: found.what,
        advice: found.advice,
    }));
    all
}

/// Those that keep the server from running, in words.
pub fn fatal(all: &[Finding]) -> Vec<String> {
    all.iter()
        .filter(|found| found.fatal)
        .map(|found| format!("{}: {}", found.what, found.advice))
        .collect()
}
