//! What a person may set of DNS beyond the cluster's own names.

use std::path::PathBuf;

use ipnet::IpNet;
use kedge_dns::{Host, Upstream};

use super::mistake::{Mistake, mistake};
use crate::settings::Settings;

/// Answers a second to one site: many times what its busiest machine asks for, far below what would flood another.
const RATE_LIMIT: u32 = 1000;

/// Resolvers, names and clients beside the cluster's.
#[derive(Debug, Clone, PartialEq)]
pub struct Dns {
    pub upstreams: Vec<Upstream>,
    pub tls_authorities: Option<PathBuf>,
    pub hosts: Vec<Host>,
    pub clients: Vec<IpNet>,
    pub rate_limit: Option<u32>,
}

impl Dns {
    /// # Errors
    /// The first setting that cannot be read.
    pub fn resolve(settings: &Settings) -> Result<Self, Mistake> {
        Ok(Self {
            upstreams: all("dns-upstream", &settings.dns_upstream)?,
            tls_authorities: settings.dns_tls_ca.clone(),
            hosts: all("dns-host", &settings.dns_host)?,
            clients: settings
                .dns_client
                .iter()
                .map(|text| client(text))
                .collect::<Result<_, _>>()?,
            rate_limit: rate_limit(settings.dns_rate_limit.as_deref())?,
        })
    }
}

fn all<T>(setting: &'static str, texts: &[String]) -> Result<Vec<T>, Mistake>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let read = |text: &String| {
        text.parse()
            .map_err(|e: T::Err| mistake(setting, e.to_string()))
    };
    texts.iter().map(read).collect()
}

fn client(text: &str) -> Result<IpNet, Mistake> {
    text.trim().parse().map_err(|_| {
        let detail = format!("{text:?} is no range; give one such as 192.168.0.0/16");
        mistake("dns-client", detail)
    })
}

fn rate_limit(text: Option<&str>) -> Result<Option<u32>, Mistake> {
    match text.map(str::trim) {
        None => Ok(Some(RATE_LIMIT)),
        Some("none") => Ok(None),
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => Err(mistake(
                "dns-rate-limit",
                format!("{text:?} is no number of answers; give one such as {RATE_LIMIT}, or none"),
            )),
            Ok(most) => Ok(Some(most)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let settings = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            Dns::resolve(&settings).map_err(|mistake| mistake.to_string())
        };
        assert_eq!(settings(|_| ()).unwrap().rate_limit, Some(1000));
        let none = settings(|s| s.dns_rate_limit = Some("none".into())).unwrap();
        assert_eq!(none.rate_limit, None);
        for (named, wrong) in [
            (
                "dns-upstream: \"dns.example\"",
                settings(|s| s.dns_upstream = vec!["dns.example".into()]),
            ),
            (
                "dns-host: \"nas\"",
                settings(|s| s.dns_host = vec!["nas".into()]),
            ),
            (
                "dns-client: \"lan\"",
                settings(|s| s.dns_client = vec!["lan".into()]),
            ),
            (
                "dns-rate-limit: \"0\"",
                settings(|s| s.dns_rate_limit = Some("0".into())),
            ),
        ] {
            let wrong = wrong.unwrap_err();
            assert!(wrong.starts_with(named), "{wrong}");
        }
    }
}
