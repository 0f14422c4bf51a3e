//! Log lines on standard error, one an event.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::SubscriberExt;

/// The log level asked for is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "log level {level:?} is none of error, warn, info, debug, trace, nor a filter such as \"info,kedge_proxy=debug\": {detail}"
)]
pub struct BadLevel {
    level: String,
    detail: String,
}

/// The journal stamps each line itself; a second time stamp would be flash spent twice.
enum Clock {
    Journal,
    Own(SystemTime),
}

impl FormatTime for Clock {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        match self {
            Self::Journal => Ok(()),
            Self::Own(clock) => clock.format_time(w),
        }
    }
}

/// Sends log lines at `level` (a word, or words for modules: `info,kedge_proxy=debug`) and above to standard error, from now on.
///
/// # Errors
/// `level` cannot be read.
pub fn init(level: &str) -> Result<(), BadLevel> {
    let filter: Targets = level.parse().map_err(|e| BadLevel {
        level: level.to_string(),
        detail: format!("{e}"),
    })?;
    let clock = if std::env::var_os("JOURNAL_STREAM").is_some() {
        Clock::Journal
    } else {
        Clock::Own(SystemTime)
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_timer(clock)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(lines);
    // A second call keeps the first subscriber: that is what a test harness wants.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_level_is_named() {
        let error = super::init("loud=very").unwrap_err().to_string();
        assert!(error.contains("loud=very"), "{error}");
    }
}
