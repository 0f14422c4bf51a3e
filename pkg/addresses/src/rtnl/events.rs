//! The kernel's own word that something changed.

use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::stream::{Stream, StreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::MulticastGroup;
use tokio::task::AbortHandle;

use super::decode;
use crate::error::Error;

const GROUPS: &[MulticastGroup] = &[
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Which parts of the picture may no longer be right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stale {
    pub links: bool,
    pub addresses: bool,
    pub routes: bool,
    pub rules: bool,
}

impl Stale {
    pub(crate) const ALL: Self = Self {
        links: true,
        addresses: true,
        routes: true,
        rules: true,
    };

    fn merge(&mut self, other: Self) {
        self.links |= other.links;
        self.addresses |= other.addresses;
        self.routes |= other.routes;
        self.rules |= other.rules;
    }
}

/// Notifications about links, addresses, routes and rules. They have a socket of their own, so that a flood of them
/// cannot push out the answer to a request.
pub(crate) struct Events {
    messages: Pin<Box<dyn Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Send>>,
    connection: AbortHandle,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Events {
    /// Subscribes; what changes from now on is told.
    pub(crate) fn open() -> Result<Self, Error> {
        let (connection, _, messages) =
            rtnetlink::new_multicast_connection(GROUPS).map_err(Error::Open)?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(Self {
            messages: Box::pin(messages.map(|(message, _)| message)),
            connection,
        })
    }

    /// Waits for a change that matters and takes in all that have come by then. `None` when the socket is gone.
    pub(crate) async fn next(&mut self) -> Option<Stale> {
        loop {
            let mut stale = concerns(self.messages.next().await?);
            while let Some(message) = self.messages.next().now_or_never() {
                stale.merge(concerns(message?));
            }
            if stale != Stale::default() {
                return Some(stale);
            }
        }
    }
}

fn concerns(message: NetlinkMessage<RouteNetlinkMessage>) -> Stale {
    use RouteNetlinkMessage::{
        DelAddress, DelLink, DelRoute, DelRule, NewAddress, NewLink, NewRoute, NewRule, SetLink,
    };
    let none = Stale::default();
    match message.payload {
        // The socket's buffer was full and notifications are lost.
        NetlinkPayload::Overrun(_) => Stale::ALL,
        // A link that goes down takes routes with it without a word about them (IPv4), and addresses (IPv6).
        NetlinkPayload::InnerMessage(NewLink(_) | DelLink(_) | SetLink(_)) => Stale {
            rules: false,
            ..Stale::ALL
        },
        // So does an address with the routes that have it as their source.
        NetlinkPayload::InnerMessage(NewAddress(_) | DelAddress(_)) => Stale {
            addresses: true,
            routes: true,
            ..none
        },
        NetlinkPayload::InnerMessage(NewRoute(route) | DelRoute(route)) => Stale {
            routes: decode::route(&route).is_some(),
            ..none
        },
        NetlinkPayload::InnerMessage(NewRule(rule) | DelRule(rule)) => Stale {
            rules: decode::rule(&rule).is_some(),
            ..none
        },
        _ => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_notifications_make_everything_stale() {
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(Default::default()));
        message.payload = NetlinkPayload::Overrun(Vec::new());
        assert_eq!(concerns(message), Stale::ALL);
    }

    #[test]
    fn a_route_of_somebody_else_concerns_nobody() {
        let mut route = netlink_packet_route::route::RouteMessage::default();
        route.header.destination_prefix_length = 24;
        let message = NetlinkMessage::from(RouteNetlinkMessage::NewRoute(route));
        assert_eq!(concerns(message), Stale::default());
    }
}
