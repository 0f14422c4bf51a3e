//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::Settings;

/// Kubernetes Service networking without Kubernetes.
#[derive(Debug, Parser)]
#[command(
    name = "kedge",
    disable_version_flag = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the API server, the dataplane and the cluster's DNS on this machine
    Server(Box<ServerArgs>),
    /// Run the dataplane alone, for the Services of another API server, in kube-proxy's place
    Proxy(ProxyArgs),
    /// Create or change objects from YAML or JSON, by server-side apply
    Apply(ApplyArgs),
    /// Print objects
    Get(GetArgs),
    /// Delete an object
    Delete(DeleteArgs),
    /// Show what each Service carries on this machine, as it changes
    Top(TopArgs),
    /// Say what this machine's rules do with a packet, and why
    Trace(TraceArgs),
    /// Say what this kernel and machine lack, each with what to do
    Check,
    /// Remove every rule, address and route that kedge made, and nothing else
    Cleanup,
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub struct ServerArgs {
    /// YAML file whose keys are the flags below [default: /etc/kedge/config.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Flags that kube-proxy has too go by its names.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Kubeconfig of the API server whose Services are wanted
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// Name of this machine's Node [default: the host name]
    #[arg(long, alias = "hostname-override", value_name = "NAME")]
    pub node_name: Option<String>,
    /// Range of pod addresses, and one of the other family: whoever comes from elsewhere is masqueraded
    #[arg(long, value_name = "CIDR[,CIDR6]", value_delimiter = ',')]
    pub cluster_cidr: Vec<String>,
    /// Range of Service addresses, and one of the other family: packets to an address of it that no Service has are dropped
    #[arg(long, value_name = "CIDR[,CIDR6]", value_delimiter = ',')]
    pub service_cidr: Vec<String>,
    /// On which of this machine's addresses node ports are open: those in these ranges, or primary [default: primary]
    #[arg(
        long,
        alias = "nodeport-addresses",
        value_name = "CIDR[,CIDR]|primary",
        value_delimiter = ','
    )]
    pub node_port_addresses: Vec<String>,
    /// Let loadBalancerSourceRanges hold on node ports too
    #[arg(long)]
    pub node_port_source_ranges: bool,
    /// Masquerade all traffic to Service addresses, from inside the cluster too
    #[arg(long)]
    pub masquerade_all: bool,
    /// Where /healthz and /livez are served, or none [default: 0.0.0.0:10256]
    #[arg(long, value_name = "ADDR:PORT|none")]
    pub healthz_bind_address: Option<String>,
    /// Where /metrics and /proxyMode are served, or none [default: 127.0.0.1:10249]
    #[arg(long, value_name = "ADDR:PORT|none")]
    pub metrics_bind_address: Option<String>,
    /// error, warn, info, debug or trace, or a filter such as info,kedge_proxy=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// Which server is asked.
#[derive(Debug, Args)]
pub struct Connection {
    /// Kubeconfig of the server [default: $KUBECONFIG, else /var/lib/kedge/kubeconfig.yaml]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    #[command(flatten)]
    pub connection: Connection,
    /// Services of this namespace alone [default: of all]
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub interval: u16,
    /// Print one table, of one interval, and end; so it is when nobody looks at a terminal
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct TraceArgs {
    #[command(flatten)]
    pub connection: Connection,
    /// Where the packet comes from
    #[arg(value_name = "SOURCE")]
    pub source: IpAddr,
    /// Where it goes, such as 10.43.0.1:443 or [fd00::1]:443
    #[arg(value_name = "ADDRESS:PORT")]
    pub destination: SocketAddr,
    /// A datagram of UDP [default: a connection of TCP]
    #[arg(long, conflicts_with = "sctp")]
    pub udp: bool,
    /// An association of SCTP
    #[arg(long)]
    pub sctp: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The server's configuration [default: /etc/kedge/config.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name of this machine's Node [default: as configured, else the host name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub connection: Connection,
    /// File or folder of manifests, or - for standard input; may be repeated
    #[arg(short, long, value_name = "FILE|-", required = true)]
    pub filename: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NS", default_value = "default")]
    pub namespace: String,
    /// Apply the status as well, for objects that no other program reports on
    #[arg(long)]
    pub with_status: bool,
    /// Take over fields that another manager owns
    #[arg(long)]
    pub force_conflicts: bool,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    pub connection: Connection,
    /// Kind, plural or short name: service, services, svc
    #[arg(value_name = "KIND")]
    pub kind: String,
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[arg(
        short,
        long,
        value_name = "NS",
        default_value = "default",
        conflicts_with = "all_namespaces"
    )]
    pub namespace: String,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Only objects whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Then print every change as it happens; json prints one object a line
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Yaml,
    Json,
    /// The table with all its columns
    Wide,
    /// KIND/NAME only
    Name,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub connection: Connection,
    #[arg(value_name = "KIND")]
    pub kind: String,
    #[arg(value_name = "NAME")]
    pub name: String,
    #[arg(short, long, value_name = "NS", default_value = "default")]
    pub namespace: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
