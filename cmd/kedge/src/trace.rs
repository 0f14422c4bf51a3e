//! `kedge trace`: what this machine's rules do with a packet, compiled anew from the API's objects.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use kedge_addresses::Follower;
use kedge_client::remote::Remote;
use kedge_client::{Client, Resource};
use kedge_proxy::Protocol;
use kedge_proxy::trace::{Outcome, Packet, Trace, Tracer};

use crate::args::TraceArgs;
use crate::client::kubeconfig;
use crate::config::{Config, Mistake};
use crate::server::{hostname, service_cidrs};
use crate::settings::{FileError, Settings};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Setting(#[from] Mistake),
    #[error("{source_address} and {destination} are of two families; a packet has one")]
    Families {
        source_address: IpAddr,
        destination: SocketAddr,
    },
    #[error(transparent)]
    Http(#[from] kedge_client::http::HttpError),
    #[error("{0}")]
    Refused(#[from] kedge_machinery::Status),
    #[error(transparent)]
    Addresses(#[from] kedge_addresses::Error),
    #[error("cannot write the answer: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Prints what becomes of a packet.
pub async fn trace(args: TraceArgs) -> Result<(), TraceError> {
    if args.source.is_ipv4() != args.destination.is_ipv4() {
        return Err(TraceError::Families {
            source_address: args.source,
            destination: args.destination,
        });
    }
    let tracer = tracer(&args).await?;
    let protocol = match (args.udp, args.sctp) {
        (true, _) => Protocol::Udp,
        (_, true) => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    let trace = tracer.trace(&Packet {
        source: args.source,
        destination: args.destination.ip(),
        protocol,
        port: args.destination.port(),
    });
    if args.json {
        println!("{}", serde_json::to_string_pretty(&trace)?);
    } else {
        print!("{}", text(&trace));
    }
    Ok(())
}

/// The rules of this machine, as the server that runs here makes them.
async fn tracer(args: &TraceArgs) -> Result<Tracer, TraceError> {
    let flags = Settings {
        node_name: args.node_name.clone(),
        ..Settings::default()
    };
    let file = Settings::load(args.config.as_deref().map(Path::new))?;
    let config = Config::resolve(flags.over(file), &hostname())?;
    let client = Remote::from_kubeconfig(&kubeconfig(&args.connection), "kedge-trace")?;
    let mut feed = client.feed(&[
        Resource::SERVICES,
        Resource::ENDPOINTSLICES,
        Resource::NODES,
    ]);
    let objects = feed.next_batch().await?;
    let follower = Follower::start().await?;
    let host = follower.host().borrow().clone();
    let local: Vec<IpAddr> = host.addresses.iter().map(|address| address.ip).collect();
    let node = match config.node_ips.as_slice() {
        [] => follower.node_addresses().borrow().to_vec(),
        given => given.to_vec(),
    };
    let mut proxy = config.proxy();
    let added = service_cidrs::list(&client, &proxy.service_cidrs).await;
    let usable = service_cidrs::usable(&added, &host.node_networks());
    proxy.service_cidrs.extend(usable.iter());
    Ok(Tracer::new(proxy, &node, local, objects))
}

fn text(trace: &Trace) -> String {
    let mut lines: Vec<String> = match &trace.outcome {
        Outcome::Forwarded { endpoints, .. } => {
            let slots: usize = endpoints.iter().map(|choice| choice.slots).sum();
            // Without weights, all are alike.
            let weighted = slots > endpoints.len();
            let mut lines = vec!["forwarded to".to_string()];
            lines.extend(endpoints.iter().map(|choice| {
                let at = SocketAddr::new(choice.address, choice.port);
                let seen = if choice.masqueraded {
                    "sees an address of this node"
                } else {
                    "sees the client"
                };
                let share = match weighted {
                    true => format!(
                        "   {:.1} % of new connections",
                        100.0 * choice.slots as f64 / slots as f64
                    ),
                    false => String::new(),
                };
                format!("  {at}   {seen}{share}")
            }));
            lines
        }
        Outcome::Refused => vec!["refused".into()],
        Outcome::Dropped => vec!["dropped".into()],
        Outcome::Untouched => vec!["left alone".into()],
    };
    lines.push("because".into());
    lines.extend(trace.reasons.iter().map(|reason| format!("  {reason}")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use kedge_proxy::trace::Choice;

    use super::*;

    #[test]
    fn an_answer_is_a_few_plain_lines() {
        let choice = |last, masqueraded, slots| Choice {
            address: [10, 42, 0, last].into(),
            port: 8080,
            slots,
            masqueraded,
        };
        let trace = |slots| Trace {
            service: None,
            outcome: Outcome::Forwarded {
                endpoints: vec![choice(1, false, slots), choice(2, true, 1)],
                affinity: None,
            },
            reasons: vec!["it is so".into()],
        };
        assert_eq!(
            text(&trace(1)),
            "forwarded to\n  10.42.0.1:8080   sees the client\n  10.42.0.2:8080   sees an address of this node\nbecause\n  it is so\n"
        );
        assert_eq!(
            text(&trace(2)).lines().nth(1),
            Some("  10.42.0.1:8080   sees the client   66.7 % of new connections"),
            "shares are shown where they differ"
        );
    }
}
