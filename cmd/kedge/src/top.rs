//! `kedge top`: what each Service carries on this machine, from the kernel's table of connections. It costs nothing
//! while nobody looks.

mod screen;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use kedge_addresses::Follower;
use kedge_client::http::HttpError;
use kedge_client::remote::Remote;
use kedge_client::{Client, Resource};
use kedge_machinery::Status;
use kedge_nftables::conntrack::{Socket, Tuple};
use kedge_proxy::traffic::{Directory, Tally, look};
use tokio::time::{MissedTickBehavior, interval};

use crate::args::TopArgs;
use crate::client::kubeconfig;
use screen::Screen;

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{0}")]
    Refused(#[from] Status),
    #[error(transparent)]
    Addresses(#[from] kedge_addresses::Error),
    #[error("cannot read the kernel's connections: {0}; run as root, on the node")]
    Connections(#[from] kedge_nftables::Error),
    #[error("cannot write the table: {0}")]
    Output(#[from] std::io::Error),
}

/// Shows a table each interval until it is interrupted, or once.
pub async fn top(args: TopArgs) -> Result<(), TopError> {
    let client = Remote::from_kubeconfig(&kubeconfig(&args.connection), "kedge-top")?;
    let mut feed = client.feed(&[Resource::SERVICES]);
    let follower = Follower::start().await?;
    let mut addresses = follower.node_addresses();
    let mut directory = Directory::new(addresses.borrow_and_update().clone());
    directory.take(feed.next_batch().await?);
    let namespace = args.namespace.as_deref();
    let mut connections = Socket::open()?;
    let mut tally = Tally::default();
    tally.take(look(&mut connections)?, by_name(&directory, namespace));

    let out = std::io::stdout();
    let live = !args.once && out.is_terminal();
    let screen = Screen::new(live);
    let period = Duration::from_secs(args.interval.into());
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            changes = feed.next_batch() => directory.take(changes?),
            Ok(()) = addresses.changed() => {
                directory.set_node_addresses(addresses.borrow_and_update().clone());
            }
            _ = ticks.tick() => {
                let rows = tally.take(look(&mut connections)?, by_name(&directory, namespace));
                let mut out = out.lock();
                out.write_all(screen.draw(&rows, period).as_bytes())?;
                out.flush()?;
                if !live {
                    return Ok(());
                }
            }
        }
    }
}

/// Whom a connection was made to, if that is in the namespace or there is none.
fn by_name<'a>(
    directory: &'a Directory,
    namespace: Option<&'a str>,
) -> impl Fn(&Tuple) -> Option<(&'a str, &'a str)> {
    move |tuple| {
        let owner = directory.owner(tuple);
        owner.filter(|(of, _)| namespace.is_none_or(|wanted| wanted == *of))
    }
}

#[cfg(test)]
mod tests {
    use kedge_client::{Change, ObjectKey};
    use kedge_nftables::conntrack::Ports;

    use super::*;

    #[test]
    fn other_namespaces_may_be_left_out() {
        let mut directory = Directory::new([].into());
        directory.take(vec![Change {
            key: ObjectKey {
                resource: Resource::SERVICES,
                namespace: "default".into(),
                name: "web".into(),
            },
            object: Some(r#"{"spec":{"clusterIP":"10.43.0.1","ports":[{"port":80}]}}"#.into()),
        }]);
        let tuple = Tuple {
            source: [10, 42, 0, 9].into(),
            destination: [10, 43, 0, 1].into(),
            protocol: 6,
            ports: Ports::Ports {
                source: 1,
                destination: 80,
            },
        };
        let owner = |namespace| by_name(&directory, namespace)(&tuple);
        assert_eq!(owner(None), Some(("default", "web")));
        assert_eq!(owner(Some("default")), Some(("default", "web")));
        assert_eq!(owner(Some("other")), None);
    }
}
