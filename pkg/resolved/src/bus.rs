//! The message bus, and systemd-resolved on it: `org.freedesktop.resolve1(5)`.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use zbus::connection::Builder;
use zbus::{Connection, DynamicType, Message, MessageStream, fdo};

const RESOLVED: &str = "org.freedesktop.resolve1";
const NO_SUCH_LINK: &str = "org.freedesktop.resolve1.NoSuchLink";
const BUS: &str = "org.freedesktop.DBus";
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// `AF_INET` and `AF_INET6`, as resolved tells families.
const INET: i32 = 2;
const INET6: i32 = 10;

/// Why something could not be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot talk to the system's message bus: {0}")]
    Bus(#[source] zbus::Error),
    /// resolved does not know the link, perhaps not yet.
    #[error(
        "systemd-resolved does not know the link {0}: does it run in another network namespace?"
    )]
    NoLink(String),
    #[error("systemd-resolved refuses {method}: {why}")]
    Refused { method: &'static str, why: String },
}

/// A link of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
}

/// The system's message bus, and who owns resolved's name there.
pub struct Bus {
    connection: Connection,
    owners: MessageStream,
}

impl Bus {
    /// Connects to `$DBUS_SYSTEM_BUS_ADDRESS`, or to the bus in its usual place. Says whether resolved is there.
    pub async fn connect() -> Result<(Self, bool), Error> {
        let bus = Builder::system().method_timeout(PATIENCE).build().await;
        let connection = bus.map_err(Error::Bus)?;
        // Changes first: one between the two is told.
        let rule = format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{RESOLVED}'"
        );
        let owners = MessageStream::for_match_rule(rule.as_str(), &connection, None)
            .await
            .map_err(Error::Bus)?;
        let bus = Self { connection, owners };
        let answer = bus.ask_bus("NameHasOwner").await.map_err(Error::Bus)?;
        let there = answer.body().deserialize().map_err(Error::Bus)?;
        Ok((bus, there))
    }

    /// Waits until resolved comes (true) or goes. Nothing when the bus is gone.
    pub async fn next(&mut self) -> Option<bool> {
        loop {
            let message = self.owners.next().await?.ok()?;
            if let Some(there) = has_owner(&message) {
                return Some(there);
            }
        }
    }

    /// Has names below `domains` asked of `servers`, and no others. Nothing is verified or encrypted on the way, which
    /// does not leave this machine.
    ///
    /// A bus may reach into several network namespaces, and an index is another link in each: only who sees a link of
    /// that name is told.
    pub async fn set(
        &self,
        link: &Link,
        servers: &[IpAddr],
        domains: &[String],
    ) -> Result<(), Error> {
        if !self.sees(&link.name).await.map_err(Error::Bus)? {
            return Err(Error::NoLink(link.name.clone()));
        }
        let refused = |method, error| refused(method, error, link);
        let index = i32::try_from(link.index).unwrap_or_default();
        let routes: Vec<(&str, bool)> = domains.iter().map(|name| (name.as_str(), true)).collect();
        let servers: Vec<(i32, Vec<u8>)> = servers.iter().map(|ip| wire(*ip)).collect();
        // Whatever else resolved knows is settled before it has a server to ask.
        self.optional("SetLinkDefaultRoute", &(index, false))
            .await
            .map_err(|error| refused("SetLinkDefaultRoute", error))?;
        self.call("SetLinkDomains", &(index, routes))
            .await
            .map_err(|error| refused("SetLinkDomains", error))?;
        for method in [
            "SetLinkLLMNR",
            "SetLinkMulticastDNS",
            "SetLinkDNSOverTLS",
            "SetLinkDNSSEC",
        ] {
            self.optional(method, &(index, "no"))
                .await
                .map_err(|error| refused(method, error))?;
        }
        self.call("SetLinkDNS", &(index, servers))
            .await
            .map_err(|error| refused("SetLinkDNS", error))
    }

    /// resolved's network has a link of this name.
    async fn sees(&self, link: &str) -> zbus::Result<bool> {
        let answer = self.ask_bus("GetConnectionUnixProcessID").await?;
        let process: u32 = answer.body().deserialize()?;
        let links = std::fs::read_to_string(format!("/proc/{process}/net/dev"));
        let mut names = links.iter().flat_map(|text| text.lines()).map(str::trim);
        Ok(names.any(|line| {
            line.strip_prefix(link)
                .is_some_and(|rest| rest.starts_with(':'))
        }))
    }

    /// A setting that older versions do not have, and do not need.
    async fn optional<B>(&self, method: &str, body: &B) -> zbus::Result<()>
    where
        B: Serialize + DynamicType + Sync,
    {
        match self.call(method, body).await {
            Err(zbus::Error::FDO(error)) if matches!(*error, fdo::Error::UnknownMethod(_)) => {
                tracing::debug!(method, "systemd-resolved has no such setting");
                Ok(())
            }
            other => other,
        }
    }

    async fn call<B>(&self, method: &str, body: &B) -> zbus::Result<()>
    where
        B: Serialize + DynamicType + Sync,
    {
        let path = "/org/freedesktop/resolve1";
        let manager = Some("org.freedesktop.resolve1.Manager");
        let call = self
            .connection
            .call_method(Some(RESOLVED), path, manager, method, body);
        call.await.map(drop)
    }

    /// Asks the bus itself about resolved.
    async fn ask_bus(&self, method: &str) -> zbus::Result<Message> {
        let path = "/org/freedesktop/DBus";
        let call = self
            .connection
            .call_method(Some(BUS), path, Some(BUS), method, &RESOLVED);
        call.await
    }
}

fn refused(method: &'static str, error: zbus::Error, link: &Link) -> Error {
    match error {
        zbus::Error::MethodError(name, ..) if name.as_str() == NO_SUCH_LINK => {
            Error::NoLink(link.name.clone())
        }
        other => Error::Refused {
            method,
            why: other.to_string(),
        },
    }
}

/// Whether a `NameOwnerChanged` says that somebody has the name now.
fn has_owner(message: &Message) -> Option<bool> {
    let body = message.body();
    let (_name, _old, new): (&str, &str, &str) = body.deserialize().ok()?;
    Some(!new.is_empty())
}

/// Family and address, as resolved reads them.
fn wire(ip: IpAddr) -> (i32, Vec<u8>) {
    match ip {
        IpAddr::V4(v4) => (INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (INET6, v6.octets().to_vec()),
    }
}
