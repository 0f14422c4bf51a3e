//! What a person may set, by flag or by key of the YAML file: one struct for both, so neither can drift.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Deserializer};

/// Where the file is looked for when `--config` does not say.
pub const DEFAULT_FILE: &str = "/etc/kedge/config.yaml";

/// Every field is optional: what neither flag nor file gives is a default of [`crate::config::Config`].
#[derive(Debug, Default, Clone, PartialEq, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Folder of everything that kedge keeps [default: /var/lib/kedge]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Address and port of the API, comma-separated or repeated [default: 0.0.0.0:6443]
    #[arg(long, value_name = "ADDR:PORT", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub listen: Vec<String>,

    /// Name of this machine's Node [default: the host name]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,

    /// This machine's address, and one of the other family [default: the addresses of the link with the default route]
    #[arg(long, value_name = "ADDR[,ADDR6]", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub node_ip: Vec<String>,

    /// Range of Service addresses, and one of the other family [default: 10.43.0.0/16]
    #[arg(long, value_name = "CIDR[,CIDR6]", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub service_cidr: Vec<String>,

    /// Range of pod addresses, and one of the other family [default: 10.42.0.0/16]
    #[arg(long, value_name = "CIDR[,CIDR6]", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub cluster_cidr: Vec<String>,

    /// Range of node ports [default: 30000-32767]
    #[arg(long, value_name = "FIRST-LAST")]
    pub service_node_port_range: Option<String>,

    /// On which of this machine's addresses node ports are open: those in these ranges, or primary [default: primary]
    #[arg(
        long,
        alias = "nodeport-addresses",
        value_name = "CIDR[,CIDR]|primary",
        value_delimiter = ','
    )]
    #[serde(default, deserialize_with = "one_or_many")]
    pub node_port_addresses: Vec<String>,

    /// Let loadBalancerSourceRanges hold on node ports too
    #[arg(long)]
    #[serde(default)]
    pub node_port_source_ranges: bool,

    /// Masquerade all traffic to Service addresses, from inside the cluster too
    #[arg(long)]
    #[serde(default)]
    pub masquerade_all: bool,

    /// Domain of the cluster's names [default: cluster.local]
    #[arg(long, value_name = "DOMAIN")]
    pub cluster_domain: Option<String>,

    /// Address of the cluster's DNS, out of the service range [default: its tenth address, 10.43.0.10]
    #[arg(long, value_name = "ADDR")]
    pub cluster_dns: Option<String>,

    /// Resolvers for other names, [DOMAIN=][tls://]ADDR[:PORT][#NAME], comma-separated or repeated [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "RESOLVER", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub dns_upstream: Vec<String>,

    /// Certificates of the authorities that resolvers over TLS are checked by, PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub dns_tls_ca: Option<PathBuf>,

    /// Names beside the cluster's, NAME=ADDR, comma-separated or repeated
    #[arg(long, value_name = "NAME=ADDR", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub dns_host: Vec<String>,

    /// Ranges that may ask for names beside the cluster and the subnets of this machine's links
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub dns_client: Vec<String>,

    /// DNS answers a second to each /24 or /56 outside the cluster over UDP, or none [default: 1000]
    #[arg(long, value_name = "N|none")]
    pub dns_rate_limit: Option<String>,

    /// Addresses for LoadBalancer Services, comma-separated or repeated [default: the node's own]
    #[arg(long, value_name = "RANGE-OR-CIDR", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub lb_pool: Vec<String>,

    /// spec.loadBalancerClass of the Services that get addresses, beside those without a class [default: none]
    #[arg(long, value_name = "NAME")]
    pub lb_class: Option<String>,

    /// Parts to leave out, comma-separated or repeated
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub disable: Vec<Part>,

    /// Admission plugins beside the usual ones, comma-separated or repeated
    #[arg(long, value_name = "PLUGIN", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub enable_admission_plugins: Vec<Plugin>,

    /// Admission plugins to leave out, comma-separated or repeated
    #[arg(long, value_name = "PLUGIN", value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_many")]
    pub disable_admission_plugins: Vec<Plugin>,

    /// Where the dataplane's /healthz and /livez are served, or none [default: 0.0.0.0:10256]
    #[arg(long, value_name = "ADDR:PORT|none")]
    pub healthz_bind_address: Option<String>,

    /// Where /metrics and /proxyMode are served without TLS, or none [default: 127.0.0.1:10249]
    #[arg(long, value_name = "ADDR:PORT|none")]
    pub metrics_bind_address: Option<String>,

    /// Engine of the store [default: sled]
    #[arg(long, value_name = "ENGINE")]
    pub store: Option<Engine>,

    /// error, warn, info, debug or trace, or a filter such as info,kedge_proxy=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// A part of the server that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The cluster's DNS.
    Dns,
    /// Addresses for LoadBalancer Services.
    Loadbalancer,
    /// The kernel's rules, for a machine whose dataplane is another program's.
    Proxy,
    /// The cluster's names in systemd-resolved, where it runs.
    Resolved,
}

/// An admission plugin, by kube-apiserver's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[value(rename_all = "PascalCase")]
pub enum Plugin {
    /// Only those approve certificates who may for that signer.
    CertificateApproval,
    /// Only those sign certificates who may for that signer.
    CertificateSigning,
    /// Nobody asks for a certificate that may do everything.
    CertificateSubjectRestriction,
    /// An Ingress without a class gets the default one.
    DefaultIngressClass,
    /// A Pod has the labels of its node that tell where it is.
    PodTopologyLabels,
    /// A Pod has the priority of its class.
    Priority,
    /// A Pod has what its RuntimeClass asks for, and one that names no class that is there is refused.
    RuntimeClass,
    /// A Pod without an account is `default`, and its token is mounted. Off unless it is enabled.
    ServiceAccount,
}

impl Plugin {
    /// True for those that every server has unless it is told otherwise. Nobody runs containers here, so a token that is
    /// mounted into a Pod is for who says that somebody does.
    pub const fn is_usual(self) -> bool {
        !matches!(self, Self::ServiceAccount)
    }

    /// The plugin of that name; `None` where no setting has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}

/// The engine that holds the store's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sled,
    Redb,
}

/// The configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read the configuration file {path}: {source}", path = .path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}:{line}: {detail}; `kedge server --help` lists the keys (each flag without its dashes)", path = .path.display())]
    Parse {
        path: PathBuf,
        line: usize,
        detail: String,
    },
}

impl Settings {
    /// The settings of `file`; without one, of the default file, which may be absent.
    ///
    /// # Errors
    /// The file cannot be read, is no YAML, or has a key or value that is not known: the line is named.
    pub fn load(file: Option<&Path>) -> Result<Self, FileError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if file.is_none() && e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(FileError::Read {
                    path: path.into(),
                    source,
                });
            }
        };
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, FileError> {
        if text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet();
            FileError::Parse {
                path: path.into(),
                line: error.location().map_or(1, |at| at.line() as usize),
                detail: error.to_string(),
            }
        })
    }

    /// These settings where they say something, those of `file` elsewhere.
    #[must_use]
    pub fn over(self, file: Self) -> Self {
        fn list<T>(flag: Vec<T>, file: Vec<T>) -> Vec<T> {
            if flag.is_empty() { file } else { flag }
        }
        Self {
            data_dir: self.data_dir.or(file.data_dir),
            listen: list(self.listen, file.listen),
            node_name: self.node_name.or(file.node_name),
            node_ip: list(self.node_ip, file.node_ip),
            service_cidr: list(self.service_cidr, file.service_cidr),
            cluster_cidr: list(self.cluster_cidr, file.cluster_cidr),
            service_node_port_range: self
                .service_node_port_range
                .or(file.service_node_port_range),
            node_port_addresses: list(self.node_port_addresses, file.node_port_addresses),
            node_port_source_ranges: self.node_port_source_ranges || file.node_port_source_ranges,
            masquerade_all: self.masquerade_all || file.masquerade_all,
            cluster_domain: self.cluster_domain.or(file.cluster_domain),
            cluster_dns: self.cluster_dns.or(file.cluster_dns),
            dns_upstream: list(self.dns_upstream, file.dns_upstream),
            dns_tls_ca: self.dns_tls_ca.or(file.dns_tls_ca),
            dns_host: list(self.dns_host, file.dns_host),
            dns_client: list(self.dns_client, file.dns_client),
            dns_rate_limit: self.dns_rate_limit.or(file.dns_rate_limit),
            lb_pool: list(self.lb_pool, file.lb_pool),
            lb_class: self.lb_class.or(file.lb_class),
            disable: list(self.disable, file.disable),
            enable_admission_plugins: list(
                self.enable_admission_plugins,
                file.enable_admission_plugins,
            ),
            disable_admission_plugins: list(
                self.disable_admission_plugins,
                file.disable_admission_plugins,
            ),
            healthz_bind_address: self.healthz_bind_address.or(file.healthz_bind_address),
            metrics_bind_address: self.metrics_bind_address.or(file.metrics_bind_address),
            store: self.store.or(file.store),
            log_level: self.log_level.or(file.log_level),
        }
    }
}

/// A list, or one value, or text with commas, as the flags take it.
fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let words = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => text
            .split(',')
            .map(|word| word.trim().to_string())
            .collect(),
        OneOrMany::Many(list) => list,
    };
    words
        .into_iter()
        .map(|word: String| {
            use serde::de::IntoDeserializer;
            let word: serde::de::value::StringDeserializer<D::Error> = word.into_deserializer();
            T::deserialize(word)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("kedge.yaml")).map_err(|e| e.to_string())
    }

    #[test]
    fn settings_have_the_plugins_that_are_asked() {
        let all = kedge_registry::admission::all();
        let mut asked: Vec<&str> = all.iter().filter_map(|one| one.plugin()).collect();
        let values = Plugin::value_variants().iter();
        let named = values.map(|plugin| plugin.to_possible_value().unwrap());
        let mut named: Vec<String> = named.map(|value| value.get_name().to_string()).collect();
        asked.sort_unstable();
        named.sort_unstable();
        assert_eq!(asked, named);
        for (plugin, name) in Plugin::value_variants().iter().zip(named) {
            assert_eq!(Plugin::named(&name), Some(*plugin));
        }
    }

    #[test]
    fn every_flag_is_a_key() {
        use clap::Args;
        let command = Settings::augment_args(clap::Command::new("kedge"));
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            let sample = match flag {
                "store" => "redb",
                "disable" => "dns",
                "masquerade-all" | "node-port-source-ranges" => "true",
                "enable-admission-plugins" | "disable-admission-plugins" => "ServiceAccount",
                _ => "x",
            };
            parse(&format!("{flag}: {sample}")).unwrap_or_else(|e| panic!("{flag}: {e}"));
        }
    }

    #[test]
    fn lists_are_yaml_lists_or_comma_text() {
        let list = parse("node-ip: [192.0.2.1, '2001:db8::1']").unwrap();
        assert_eq!(list, parse("node-ip: 192.0.2.1, 2001:db8::1").unwrap());
        assert_eq!(
            parse("disable: [dns, loadbalancer]").unwrap().disable,
            [Part::Dns, Part::Loadbalancer]
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse("# our site\nlog-level: info\nlb-pools: 10.0.0.0/24\n").unwrap_err();
        assert!(
            error.starts_with("kedge.yaml:3:") && error.contains("lb-pools"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_word_is_named_with_its_line() {
        let error = parse("log-level: info\ndisable:\n- dns\n- dance\n").unwrap_err();
        assert!(
            error.starts_with("kedge.yaml:") && error.contains("dance"),
            "{error}"
        );
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let flags = Settings {
            node_name: Some("flag".into()),
            ..Settings::default()
        };
        let file = parse("node-name: file\ncluster-domain: example.org").unwrap();
        let both = flags.over(file);
        assert_eq!(
            (both.node_name.as_deref(), both.cluster_domain.as_deref()),
            (Some("flag"), Some("example.org"))
        );
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        assert_eq!(parse("# nothing yet\n\n").unwrap(), Settings::default());
    }
}
