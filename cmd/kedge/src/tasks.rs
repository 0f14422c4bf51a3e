//! The parts that run at the same time: all end when one is told to stop, and one that ends by itself is told.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Running parts.
pub struct Tasks {
    set: JoinSet<(&'static str, Result<(), String>)>,
    shutdown: watch::Sender<bool>,
}

impl Tasks {
    pub fn new() -> Self {
        Self {
            set: JoinSet::new(),
            shutdown: watch::Sender::new(false),
        }
    }

    /// Starts a part; it is handed a future that ends when it is to stop.
    pub fn spawn<F>(&mut self, name: &'static str, part: impl FnOnce(Shutdown) -> F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let running = part(shutdown(self.shutdown.subscribe()));
        self.set.spawn(async move { (name, running.await) });
    }

    /// Waits for `stop` (then `None`), or for a part that ends though it should run: its name, and why.
    pub async fn until_ended(
        &mut self,
        stop: impl Future<Output = ()>,
    ) -> Option<(&'static str, String)> {
        tokio::select! {
            () = stop => None,
            ended = self.set.join_next() => Some(match ended {
                Some(Ok((name, Ok(())))) => (name, "by itself".into()),
                Some(Ok((name, Err(why)))) => (name, why),
                Some(Err(panic)) => ("a part", panic.to_string()),
                None => ("everything", "nothing was started".into()),
            }),
        }
    }

    /// Stops every part and waits for its end.
    pub async fn stop(mut self) {
        self.shutdown.send_replace(true);
        while let Some(ended) = self.set.join_next().await {
            if let Ok((name, Err(why))) = ended {
                tracing::warn!(part = name, why, "ended badly");
            }
        }
    }
}

/// Ends when a part is to stop.
pub type Shutdown = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn shutdown(mut told: watch::Receiver<bool>) -> Shutdown {
    Box::pin(async move {
        // An error means that nobody is left to tell: the end, too.
        let _ = told.wait_for(|stop| *stop).await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_stop_when_told_and_a_failure_is_named() {
        let mut tasks = Tasks::new();
        tasks.spawn("well", |shutdown| async move {
            shutdown.await;
            Ok(())
        });
        assert_eq!(tasks.until_ended(async {}).await, None);
        tasks.spawn("ill", |_| async { Err("reasons".to_string()) });
        assert_eq!(
            tasks.until_ended(std::future::pending()).await,
            Some(("ill", "reasons".into()))
        );
        tasks.stop().await;
    }
}
