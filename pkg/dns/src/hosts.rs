//! Names of the configuration, beside the cluster's: what `/etc/hosts` is to one machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;

use crate::name::WireName;

/// One name and one of its addresses: `NAME=ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub name: WireName,
    pub address: IpAddr,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no host: give NAME=ADDRESS, such as nas.lan=192.168.1.5")]
pub struct HostError {
    text: String,
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let read = || {
            let (name, address) = text.trim().split_once('=')?;
            let name = WireName::parse(name).filter(|name| *name != WireName::root())?;
            Some(Self {
                name,
                // `::ffff:192.168.1.5` is that IPv4 address.
                address: address.parse::<IpAddr>().ok()?.to_canonical(),
            })
        };
        read().ok_or_else(|| HostError { text: text.into() })
    }
}

/// All of them, by name and by address.
#[derive(Debug, Default)]
pub struct Hosts {
    addresses: HashMap<Box<[u8]>, Vec<IpAddr>>,
    names: HashMap<IpAddr, Vec<WireName>>,
}

impl Hosts {
    #[must_use]
    pub fn new(hosts: &[Host]) -> Self {
        let mut all = Self::default();
        for Host { name, address } in hosts {
            let addresses = all.addresses.entry(name.as_bytes().into()).or_default();
            if !addresses.contains(address) {
                addresses.push(*address);
            }
            let names = all.names.entry(*address).or_default();
            if !names.contains(name) {
                names.push(*name);
            }
        }
        all
    }

    /// The addresses of a name, of both families.
    #[must_use]
    pub fn addresses(&self, name: &WireName) -> Option<&[IpAddr]> {
        if self.addresses.is_empty() {
            return None;
        }
        self.addresses.get(name.as_bytes()).map(Vec::as_slice)
    }

    /// The names of an address, as they were given.
    #[must_use]
    pub fn names(&self, address: IpAddr) -> &[WireName] {
        self.names.get(&address).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_by_name_and_by_address() {
        let hosts = [
            "NAS.lan=192.168.1.5",
            "nas.lan.=fd00::5",
            "files.lan=::ffff:192.168.1.5",
            "nas.lan=192.168.1.5",
        ]
        .map(|text| text.parse().unwrap());
        let hosts = Hosts::new(&hosts);
        let name = |text: &str| WireName::parse(text).unwrap();
        let shown = hosts.addresses(&name("nas.LAN")).unwrap();
        assert_eq!(shown.len(), 2);
        let names = hosts.names("192.168.1.5".parse().unwrap());
        let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["nas.lan", "files.lan"]);
        assert_eq!(hosts.names("192.168.1.6".parse().unwrap()), []);
        assert_eq!(hosts.addresses(&name("lan")), None);
    }

    #[test]
    fn what_names_no_host() {
        for text in [
            "nas.lan",
            "=192.168.1.5",
            "nas..lan=192.168.1.5",
            "nas.lan=nas",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
