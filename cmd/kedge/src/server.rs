//! `kedge server`: every part made, wired and run; the order is that of docs/architecture.md, "Start".

mod cluster_dns;
mod host;
mod identity;
mod memory;
pub mod service_cidrs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use kedge_api::Catalog;
use kedge_apiserver::{Limits, Server, ServerConfig};
use kedge_client::SharedClient;
use kedge_client::local::Local;
use kedge_registry::admission::{self, Admission};
use kedge_registry::{Registry, RegistryConfig};
use kedge_store::{EngineKind, Options, Recovery, Store};
use kedge_telemetry::metrics::Metrics;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use crate::args::ServerArgs;
use crate::config::{Config, Mistake, check_networks};
use crate::findings;
use crate::scheduling;
use crate::settings::{Engine, FileError, Part, Plugin, Settings};
use crate::tasks::Tasks;
use host::Network;
use identity::Identity;

/// Events kept for watches that resume, as etcd's default of kube-apiserver's watch cache is of this order.
const WINDOW: usize = 4096;
/// The version that the Node shows.
pub const NODE_VERSION: &str = concat!("v1.36.2+kedge", env!("CARGO_PKG_VERSION"));

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Setting(#[from] Mistake),
    #[error(transparent)]
    Log(#[from] kedge_telemetry::log::BadLevel),
    #[error("this machine cannot run kedge: {0}")]
    Machine(String),
    #[error("{path}: {source}; make the folder readable and writable for this user, or choose another --data-dir", path = .path.display())]
    Data {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] kedge_store::OpenError),
    #[error(transparent)]
    Pki(#[from] kedge_pki::PkiError),
    #[error(transparent)]
    Bind(#[from] kedge_apiserver::BindError),
    #[error(transparent)]
    Dns(#[from] kedge_dns::BindError),
    #[error(transparent)]
    Addresses(#[from] kedge_addresses::Error),
    #[error("cannot write the first objects: {0}")]
    Bootstrap(#[from] kedge_machinery::Status),
    /// A part that must run ended.
    #[error("{part} ended: {why}")]
    Part { part: &'static str, why: String },
    #[error("cannot start the runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

impl From<(&'static str, String)> for ServerError {
    fn from((part, why): (&'static str, String)) -> Self {
        Self::Part { part, why }
    }
}

/// Runs until SIGTERM or SIGINT.
pub fn run(args: ServerArgs) -> Result<(), ServerError> {
    let settings = args.settings.over(Settings::load(args.config.as_deref())?);
    let hostname = hostname();
    let config = Config::resolve(settings, &hostname)?;
    kedge_telemetry::log::init(&config.log_level)?;
    runtime()?.block_on(serve(config, hostname))
}

/// The kernel's name for this machine.
pub fn hostname() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// Work comes in bursts and is short: more threads than these only cost memory.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_name("kedge")
        .enable_all()
        .build()
}

async fn serve(config: Config, hostname: String) -> Result<(), ServerError> {
    let fatal = findings::fatal(&findings::all().await);
    if !fatal.is_empty() {
        return Err(ServerError::Machine(fatal.join("; ")));
    }
    let network = Network::follow(&config).await?;
    check_networks(&config.service_cidrs, &network.networks().borrow())?;
    make_private(&config.data_dir)?;
    let (store, recovery) = open(&config).await?;
    let registry = Registry::new(RegistryConfig {
        store: store.clone(),
        catalog: Catalog::builtin(),
        service_cidrs: config.service_cidrs.clone(),
        node_ports: config.node_ports.clone(),
        admission: admission(&config),
    });
    let identity = Identity::load(&config, &hostname, &network.node_addresses())?;
    let metrics = Metrics::default();
    let served = Arc::new(Notify::new());
    let api = Server::bind(ServerConfig {
        listen: config.listen.clone(),
        registry: registry.clone(),
        certificate: identity.certificate(),
        client_authorities: vec![identity.authority().clone()],
        tokens: identity.tokens(),
        ready: Vec::new(),
        limits: Limits::default(),
        metrics: metrics.clone(),
        served: Arc::clone(&served),
    })?;
    let listening = api.addresses();
    identity.write_kubeconfig(&config.data_dir, &listening)?;

    let client: SharedClient = Arc::new(Local::new(registry.clone(), "kedge"));
    let port = listening.first().map_or(6443, SocketAddr::port);
    registry.bootstrap().await?;
    let definitions = registry.definitions()?;
    registry
        .ensure_kubernetes_service(&network.node_addresses(), port)
        .await?;
    if config.has(Part::Dns) {
        cluster_dns::ensure(&client, config.cluster_dns).await?;
    }
    report(&client, &recovery).await;

    let mut tasks = Tasks::new();
    tasks.spawn("memory", |shutdown| memory::run(served, shutdown));
    tasks.spawn("custom resources", |shutdown| async move {
        tokio::select! {
            () = definitions.run() => {}
            () = shutdown => {}
        }
        Ok(())
    });
    let balancer = network
        .start(&config, &client, &metrics, &mut tasks)
        .await?;
    let credentials = identity.credentials();
    identity.follow(registry.clone(), network.watch(), port, &mut tasks);
    tasks.spawn("the API server", |shutdown| async move {
        api.serve(shutdown).await;
        Ok(())
    });
    network.start_controllers(&config, &client, balancer, port, credentials, &mut tasks);
    if config.has(Part::Dns) {
        let dns = cluster_dns::bind(&config, network.subnets(), &client)?;
        metrics.add(|registry| dns.metrics().register(registry));
        tasks.spawn("DNS", |shutdown| async move {
            dns.run(shutdown).await.map_err(|e| e.to_string())
        });
    }
    tracing::info!(
        node = config.node_name,
        api = %listening.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        kubeconfig = %config.data_dir.join("kubeconfig.yaml").display(),
        "kedge serves"
    );
    kedge_telemetry::unit::ready("serving");

    let ended = tasks.until_ended(stop_signal()).await;
    kedge_telemetry::unit::stopping();
    tasks.stop().await;
    store.close().await;
    match ended {
        None => {
            tracing::info!(
                "stopped; rules, addresses and routes stay (kedge cleanup removes them)"
            );
            Ok(())
        }
        Some((part, why)) => Err(ServerError::Part { part, why }),
    }
}

/// The admission plugins that were not disabled, in the order in which they are asked, and what no setting disables.
fn admission(config: &Config) -> Vec<Box<dyn Admission>> {
    let mut all = admission::all();
    all.retain(|admission| {
        let plugin = admission.plugin().and_then(Plugin::named);
        plugin.is_none_or(|plugin| config.admits(plugin))
    });
    all
}

/// Ends at the first SIGTERM or SIGINT.
pub async fn stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn make_private(path: &std::path::Path) -> Result<(), ServerError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let wrong = |source| ServerError::Data {
        path: path.into(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(wrong)?;
    let metadata = std::fs::metadata(path).map_err(wrong)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(wrong)?;
    }
    Ok(())
}

async fn open(config: &Config) -> Result<(Store, Recovery), ServerError> {
    let options = Options {
        path: config.data_dir.join("store"),
        engine: match config.engine {
            Engine::Sled => EngineKind::Sled,
            Engine::Redb => EngineKind::Redb,
        },
        window: WINDOW,
    };
    let wrong = |why: String| ServerError::Part {
        part: "the store",
        why,
    };
    let (told, opened) = oneshot::channel();
    let open = move || {
        // The store's threads inherit it. While requests keep the processors busy, more of them gather for each commit: half as many
        // waits for the disk, and fewer changes from thread to thread.
        if let Err(error) = scheduling::wait_your_turn() {
            tracing::debug!(%error, "the store's threads are scheduled like others");
        }
        let _ = told.send(Store::open(&options));
    };
    std::thread::Builder::new()
        .name("kedge-open".into())
        .spawn(open)
        .map_err(|error| wrong(error.to_string()))?;
    let ended = |_| wrong("the thread that opens it ended".into());
    Ok(opened.await.map_err(ended)??)
}

/// Says aloud what opening the store found, in the log and as an Event.
async fn report(client: &SharedClient, recovery: &Recovery) {
    if clock_is_behind() {
        tracing::warn!(
            "the clock is older than this program; certificates and everything else work all the same"
        );
    }
    let Some((aside, why)) = &recovery.damaged else {
        return;
    };
    let lost = match recovery.lost.as_slice() {
        [] => "nothing is known to be lost".to_string(),
        lost => format!("lost or older than they were: {}", lost.join(", ")),
    };
    let message = format!(
        "the store was damaged ({why}) and set aside as {}; its snapshot serves; {lost}",
        aside.display()
    );
    tracing::error!("{message}");
    if let Err(error) = cluster_dns::event(client, "StoreRecovered", &message).await {
        tracing::warn!(%error, "cannot write the Event about the damaged store");
    }
}

/// True when the clock shows a time before this program was made: no battery, no network yet.
fn clock_is_behind() -> bool {
    kedge_pki::validity::FLOOR
        .to_zoned(jiff::tz::TimeZone::UTC)
        .is_ok_and(|floor| Timestamp::now() < floor.timestamp())
}
