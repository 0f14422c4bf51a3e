//! Route netlink: the one place that knows the `rtnetlink` crate, whose interface changes with every release.

mod decode;
mod encode;
mod events;

use std::fmt::Display;
use std::net::IpAddr;

use futures_util::stream::{Stream, StreamExt};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::RouteMessage;
use rtnetlink::IpVersion;
use tokio::task::AbortHandle;

use crate::error::Error;
use crate::host::{Address, Link, Route, Rule};
use crate::mark;

pub(crate) use events::{Events, Stale};

/// A kind of link that needs no other and has a carrier by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnLink {
    /// Absent on many appliances.
    Dummy,
    /// Two ends of a cable, both here (veth).
    Pair,
}

/// A connection for requests. It ends when this is dropped.
pub(crate) struct Rtnl {
    handle: rtnetlink::Handle,
    connection: AbortHandle,
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Rtnl {
    /// Opens a socket in the network namespace of this thread; a task of this runtime serves it.
    pub(crate) fn open() -> Result<Self, Error> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(Error::Open)?;
        Ok(Self {
            handle,
            connection: tokio::spawn(connection).abort_handle(),
        })
    }

    pub(crate) async fn links(&self) -> Result<Vec<Link>, Error> {
        let messages = self.handle.link().get().execute();
        collect("list links", messages, |message| {
            Some(decode::link(&message))
        })
        .await
    }

    pub(crate) async fn addresses(&self) -> Result<Vec<Address>, Error> {
        let messages = self.handle.address().get().execute();
        collect("list addresses", messages, |message| {
            decode::address(&message)
        })
        .await
    }

    /// Default routes and our own ones, of both families.
    pub(crate) async fn routes(&self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut filter = RouteMessage::default();
            filter.header.address_family = family;
            let messages = self.handle.route().get(filter).execute();
            let found = collect("list routes", messages, |message| decode::route(&message)).await;
            routes.extend(without_family(found)?);
        }
        Ok(routes)
    }

    /// Our own rules, of both families.
    pub(crate) async fn rules(&self) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let messages = self.handle.rule().get(version).execute();
            let found = collect("list rules", messages, |message| decode::rule(&message)).await;
            rules.extend(without_family(found)?);
        }
        Ok(rules)
    }

    /// Adds the link for addresses of this machine alone, switched off. `EOPNOTSUPP` when the kernel has no such kind.
    pub(crate) async fn add_own_link(&self, kind: OwnLink) -> Result<(), Error> {
        let request = self.handle.link().add(encode::own_link(kind));
        request
            .execute()
            .await
            .map_err(|error| refused(format!("add the link {}", mark::DNS_LINK), error))
    }

    pub(crate) async fn turn_on(&self, link: u32) -> Result<(), Error> {
        let request = self.handle.link().set(encode::turn_on(link));
        request
            .execute()
            .await
            .map_err(|error| refused(format!("switch on link {link}"), error))
    }

    pub(crate) async fn remove_link(&self, link: u32) -> Result<(), Error> {
        let request = self.handle.link().del(link);
        request
            .execute()
            .await
            .map_err(|error| refused(format!("remove link {link}"), error))
    }

    /// Adds a host address that is marked as ours. `EEXIST` when the link has it. `counts`: others who look for addresses
    /// of the link are to take it for one.
    pub(crate) async fn add_address(
        &self,
        ip: IpAddr,
        link: u32,
        counts: bool,
    ) -> Result<(), Error> {
        let mut request = self.handle.address().add(link, ip, encode::host_prefix(ip));
        *request.message_mut() = encode::address(ip, link, counts);
        request
            .execute()
            .await
            .map_err(|error| refused(format!("add address {ip}"), error))
    }

    pub(crate) async fn remove_address(&self, ip: IpAddr, link: u32) -> Result<(), Error> {
        let request = self.handle.address().del(encode::address(ip, link, false));
        request
            .execute()
            .await
            .map_err(|error| refused(format!("remove address {ip}"), error))
    }

    /// Adds a route, or replaces the one with its destination, table and metric.
    pub(crate) async fn put_route(&self, route: &Route) -> Result<(), Error> {
        let request = self.handle.route().add(encode::route(route)).replace();
        request
            .execute()
            .await
            .map_err(|error| refused(format!("add the route to {}", route.destination), error))
    }

    pub(crate) async fn remove_route(&self, route: &Route) -> Result<(), Error> {
        let request = self.handle.route().del(encode::route(route));
        request
            .execute()
            .await
            .map_err(|error| refused(format!("remove the route to {}", route.destination), error))
    }

    pub(crate) async fn add_rule(&self, rule: &Rule) -> Result<(), Error> {
        let mut request = self.handle.rule().add();
        *request.message_mut() = encode::rule(rule);
        request
            .execute()
            .await
            .map_err(|error| refused(format!("add the rule for {}", rule.destination), error))
    }

    pub(crate) async fn remove_rule(&self, rule: &Rule) -> Result<(), Error> {
        let request = self.handle.rule().del(encode::rule(rule));
        request
            .execute()
            .await
            .map_err(|error| refused(format!("remove the rule for {}", rule.destination), error))
    }
}

async fn collect<M, T>(
    what: &str,
    messages: impl Stream<Item = Result<M, rtnetlink::Error>>,
    read: impl Fn(M) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut messages = std::pin::pin!(messages);
    let mut found = Vec::new();
    while let Some(message) = messages.next().await {
        found.extend(read(message.map_err(|error| refused(what, error))?));
    }
    Ok(found)
}

/// A kernel without a family, or without policy routing, has none of its routes and rules.
fn without_family<T>(found: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match found {
        Err(error) if error.is(libc::EOPNOTSUPP) || error.is(libc::EAFNOSUPPORT) => Ok(Vec::new()),
        other => other,
    }
}

fn refused(what: impl Display, error: rtnetlink::Error) -> Error {
    let what = what.to_string();
    match error {
        rtnetlink::Error::NetlinkError(message) => Error::Refused {
            what,
            code: -message.raw_code(),
        },
        other => Error::Connection {
            what,
            why: other.to_string(),
        },
    }
}
