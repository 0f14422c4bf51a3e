//! What is measured, in OpenMetrics' text.

use std::sync::{Arc, Mutex, PoisonError};

pub use prometheus_client::registry::Registry;

use crate::process::Process;

/// Media type of [`Metrics::text`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that the parts of this process measure. Clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Default for Metrics {
    /// With what the kernel says of this process.
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        Self(Arc::new(Mutex::new(registry)))
    }
}

impl Metrics {
    /// Lets a part name what it measures.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All of it now. Some of it asks the kernel or another thread, so that a thread that may wait does it.
    pub async fn text(&self) -> String {
        let all = self.clone();
        let written = tokio::task::spawn_blocking(move || all.encode());
        // The runtime is ending.
        written.await.unwrap_or_default()
    }

    fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
            tracing::error!("a metric cannot be written");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn parts_and_the_process_are_in_one_text() {
        let metrics = Metrics::default();
        let counter = Counter::<u64>::default();
        metrics.add(|registry| registry.register("things", "Things", counter.clone()));
        counter.inc_by(3);
        let text = metrics.encode();
        for line in [
            "things_total 3",
            "# EOF",
            "# TYPE process_resident_memory_bytes gauge",
        ] {
            assert!(text.lines().any(|had| had == line), "{line} in\n{text}");
        }
    }
}
