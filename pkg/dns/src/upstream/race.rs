//! Several resolvers: the best one is asked first, and who answers first wins.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::server::Server;
use crate::message::{Answered, Asked};

/// Asks one after the other, each as soon as those before it failed or had their head start; `None` when none knows.
pub async fn race(servers: &[Arc<Server>], asked: &Asked) -> Option<Answered> {
    let now = Instant::now();
    let mut order: Vec<&Arc<Server>> = servers.iter().filter(|s| s.is_usable()).collect();
    order.sort_by_key(|server| server.health().is_down(now));
    let mut running = FuturesUnordered::new();
    for server in order {
        running.push(server.ask(asked));
        let head_start = tokio::time::sleep(server.health().head_start(now));
        tokio::pin!(head_start);
        loop {
            tokio::select! {
                Some(answer) = running.next() => match answer {
                    Some(answer) => return Some(answer),
                    None if running.is_empty() => break,
                    None => {}
                },
                () = &mut head_start => break,
            }
        }
    }
    while let Some(answer) = running.next().await {
        if answer.is_some() {
            return answer;
        }
    }
    None
}
