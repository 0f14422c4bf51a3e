//! `kedge proxy`: the dataplane alone, for the Services of another API server, in kube-proxy's place.

use std::path::PathBuf;
use std::sync::Arc;

use kedge_addresses::{Follower, forwarding};
use kedge_client::SharedClient;
use kedge_client::remote::Remote;
use kedge_proxy::Proxy;
use kedge_telemetry::metrics::Metrics;

use crate::args::ProxyArgs;
use crate::config::{Config, Mistake, check_networks};
use crate::server::{hostname, runtime, stop_signal};
use crate::settings::Settings;
use crate::tasks::Tasks;
use crate::{dataplane, findings};

/// Why the proxy does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("{0}")]
    Setting(#[from] Mistake),
    #[error(transparent)]
    Log(#[from] kedge_telemetry::log::BadLevel),
    #[error("this machine cannot run kedge: {0}")]
    Machine(String),
    #[error(transparent)]
    Client(#[from] kedge_client::http::HttpError),
    #[error(transparent)]
    Addresses(#[from] kedge_addresses::Error),
    #[error("{part} ended: {why}")]
    Part { part: &'static str, why: String },
    #[error("cannot start the runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

impl From<(&'static str, String)> for ProxyError {
    fn from((part, why): (&'static str, String)) -> Self {
        Self::Part { part, why }
    }
}

/// Runs until SIGTERM or SIGINT; the rules stay.
pub fn run(args: ProxyArgs) -> Result<(), ProxyError> {
    let kubeconfig = args.kubeconfig.clone();
    let given = (!args.service_cidr.is_empty(), !args.cluster_cidr.is_empty());
    let mut config = Config::resolve(Settings::from(args), &hostname())?;
    // The ranges of a cluster that is not this machine's own are known only where somebody says them.
    if !given.0 {
        config.service_cidrs.clear();
    }
    if !given.1 {
        config.cluster_cidrs.clear();
    }
    kedge_telemetry::log::init(&config.log_level)?;
    runtime()?.block_on(serve(config, kubeconfig))
}

async fn serve(config: Config, kubeconfig: PathBuf) -> Result<(), ProxyError> {
    let fatal = findings::fatal(&findings::all().await);
    if !fatal.is_empty() {
        return Err(ProxyError::Machine(fatal.join("; ")));
    }
    let follower = Follower::start().await?;
    let own = follower.host().borrow().node_networks();
    check_networks(&config.service_cidrs, &own)?;
    let client = Remote::from_kubeconfig(&kubeconfig, "kedge-proxy")?;
    let client: SharedClient = Arc::new(client);
    // Without it a node port ends on this node.
    for changed in forwarding::enable()? {
        tracing::info!("forwarding: {changed}");
    }
    let metrics = Metrics::default();
    let mut tasks = Tasks::new();
    let starting = dataplane::start(
        Proxy::new(config.proxy(), client, follower.node_addresses()),
        config.pages,
        &metrics,
        &mut tasks,
    );
    // A server that is away is waited for, however long.
    tokio::select! {
        started = starting => started?,
        () = stop_signal() => return Ok(()),
    }
    tracing::info!(
        node = config.node_name,
        kubeconfig = %kubeconfig.display(),
        "the Services' rules are in the kernel"
    );
    kedge_telemetry::unit::ready("serving");
    let ended = tasks.until_ended(stop_signal()).await;
    kedge_telemetry::unit::stopping();
    tasks.stop().await;
    match ended {
        None => {
            tracing::info!("stopped; the rules stay (kedge cleanup removes them)");
            Ok(())
        }
        Some(ended) => Err(ended.into()),
    }
}

impl From<ProxyArgs> for Settings {
    fn from(args: ProxyArgs) -> Self {
        Self {
            node_name: args.node_name,
            service_cidr: args.service_cidr,
            cluster_cidr: args.cluster_cidr,
            node_port_addresses: args.node_port_addresses,
            node_port_source_ranges: args.node_port_source_ranges,
            masquerade_all: args.masquerade_all,
            healthz_bind_address: args.healthz_bind_address,
            metrics_bind_address: args.metrics_bind_address,
            log_level: args.log_level,
            ..Self::default()
        }
    }
}
