//! `kedge top`: what each Service carries on this machine, from the kernel's table of connections. It costs nothing
//! while nobody looks.

mod screen;
mod services;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use kedge_client::http::HttpError;
use kedge_client::remote::Remote;
use kedge_client::{Client, Resource};
use kedge_machinery::Status;
use kedge_nftables::conntrack::{Socket, Tuple};
use kedge_proxy::traffic::{Tally, look};
use tokio::time::{MissedTickBehavior, interval};

use crate::args::TopArgs;
use crate::client::kubeconfig;
use screen::Screen;
use services::Services;

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{0}")]
    Refused(#[from] Status),
    #[error("cannot read the kernel's connections: {0}; run as root, on the node")]
    Connections(#[from] kedge_nftables::Error),
    #[error("cannot write the table: {0}")]
    Output(#[from] std::io::Error),
}

/// Shows a table each interval until it is interrupted, or once.
pub async fn top(args: TopArgs) -> Result<(), TopError> {
    let client = Remote::from_kubeconfig(&kubeconfig(&args.connection), "kedge-top")?;
    let mut feed = client.feed(&[Resource::SERVICES]);
    let mut services = Services::new(args.namespace);
    services.take(feed.next_batch().await?);
    let mut connections = Socket::open()?;
    let mut tally = Tally::default();
    tally.take(look(&mut connections)?, by_name(&services));

    let out = std::io::stdout();
    let live = !args.once && out.is_terminal();
    let screen = Screen::new(live);
    let period = Duration::from_secs(args.interval.into());
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            changes = feed.next_batch() => services.take(changes?),
            _ = ticks.tick() => {
                let rows = tally.take(look(&mut connections)?, by_name(&services));
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

/// Whom a connection was made to.
fn by_name<'a>(services: &'a Services) -> impl Fn(&Tuple) -> Option<(&'a str, &'a str)> {
    move |tuple| {
        let key = services.asked_by(tuple)?;
        Some((&key.namespace, &key.name))
    }
}
