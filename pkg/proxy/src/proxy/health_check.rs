//! Health-check node ports: where load balancers ask whether this node has endpoints of a Service whose external policy
//! is Local. Answers are those of kubernetes `pkg/proxy/healthcheck/service_health.go`.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use kedge_telemetry::http::{json_headers, serve};
use rustix::net::sockopt::{set_ip_freebind, set_ipv6_freebind};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::health::Health;
use crate::compile::HealthCheck;
use crate::family::Family;
use crate::model::ServiceName;

/// Connections that wait to be taken: nobody asks often.
const BACKLOG: u32 = 16;
/// How many endpoints this node has, for balancers that spread by weight.
const WEIGHT: HeaderName = HeaderName::from_static("x-load-balancing-endpoint-weight");

/// What is answered where.
pub type Answers = Arc<BTreeMap<SocketAddr, Answer>>;

/// A Service, and how many ready endpoints it has on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub service: ServiceName,
    pub local: usize,
}

/// The answers at each of the addresses that node ports are open on. Where two Services want the same port, the one
/// with the lesser name has it.
pub fn answers(checks: &BTreeMap<ServiceName, HealthCheck>, open: &[IpAddr]) -> Answers {
    let mut answers = BTreeMap::new();
    for (service, check) in checks {
        for address in open {
            let Some(local) = check.local[Family::of(*address) as usize] else {
                continue;
            };
            let at = SocketAddr::new(*address, check.port);
            answers.entry(at).or_insert_with(|| Answer {
                service: service.clone(),
                local,
            });
        }
    }
    Arc::new(answers)
}

/// Listens where something is to be answered, for ever.
pub async fn run(mut wanted: watch::Receiver<Answers>, health: Health) {
    let mut tasks = JoinSet::new();
    let mut listening = HashMap::new();
    loop {
        let answers = wanted.borrow_and_update().clone();
        listening.retain(|at, task: &mut tokio::task::AbortHandle| {
            let keep = answers.contains_key(at);
            if !keep {
                task.abort();
            }
            keep
        });
        // What has ended leaves nothing behind.
        while let Some(_ended) = tasks.try_join_next() {}
        for (at, answer) in answers.iter() {
            if listening.contains_key(at) {
                continue;
            }
            match listen(*at) {
                Ok(listener) => {
                    let pages = pages(*at, wanted.clone(), health.clone());
                    let task = tasks.spawn(serve(listener, pages, std::future::pending()));
                    listening.insert(*at, task);
                }
                Err(error) => tracing::warn!(
                    "Service {}: cannot listen on its health-check node port {at}: {error}; load balancers will leave this node out",
                    answer.service
                ),
            }
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// Listens on an address, also if the machine is only about to have it.
fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() {
        let socket = TcpSocket::new_v4()?;
        set_ip_freebind(&socket, true)?;
        socket
    } else {
        let socket = TcpSocket::new_v6()?;
        set_ipv6_freebind(&socket, true)?;
        socket
    };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

fn pages(at: SocketAddr, answers: watch::Receiver<Answers>, health: Health) -> Router {
    Router::new()
        .fallback(routing::any(answer))
        .with_state((at, answers, health))
}

async fn answer(
    State((at, answers, health)): State<(SocketAddr, watch::Receiver<Answers>, Health)>,
) -> Response {
    let Some(answer) = answers.borrow().get(&at).cloned() else {
        // It is being closed.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let healthy = health.is_healthy();
    let code = if answer.local > 0 && healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let (namespace, name) = answer.service.parts();
    let body = format!(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{namespace}\",\n\t\t\"name\": \"{name}\"\n\t}},\n\t\"localEndpoints\": {},\n\t\"serviceProxyHealthy\": {healthy}\n}}",
        answer.local
    );
    let weight = [(WEIGHT, answer.local.to_string())];
    (code, json_headers(), weight, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn endpoints_behind_a_late_proxy_are_not_to_be_asked() {
        let at: SocketAddr = "192.0.2.1:32000".parse().unwrap();
        let service = ServiceName::new("default", "web");
        for (health, local, code, healthy) in [
            (Health::new(Metrics::default()), 2, 200, true),
            (Health::new(Metrics::default()), 0, 503, true),
            (Health::late(), 2, 503, false),
            (Health::late(), 0, 503, false),
        ] {
            let service = service.clone();
            let answers = Arc::new(BTreeMap::from([(at, Answer { service, local })]));
            let (_sender, wanted) = watch::channel(answers);
            let heard = answer(State((at, wanted, health))).await;
            assert_eq!(heard.status().as_u16(), code, "{local} {healthy}");
            assert_eq!(heard.headers()[WEIGHT], local.to_string());
            let body = to_bytes(heard.into_body(), 1000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["localEndpoints"], json!(local));
            assert_eq!(body["serviceProxyHealthy"], json!(healthy));
        }
    }

    #[test]
    fn each_family_answers_for_itself_and_a_port_is_one_services() {
        let check = |v4, v6| HealthCheck {
            port: 32_000,
            local: [v4, v6],
        };
        let name = |name| ServiceName::new("default", name);
        let checks = BTreeMap::from([
            (name("b"), check(Some(7), Some(2))),
            (name("a"), check(Some(1), None)),
        ]);
        let open = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let all: Vec<String> = answers(&checks, &open)
            .iter()
            .map(|(at, answer)| format!("{at} {} {}", answer.service, answer.local))
            .collect();
        assert_eq!(
            all,
            [
                "192.0.2.1:32000 default/a 1",
                "[2001:db8::1]:32000 default/b 2"
            ]
        );
    }
}
