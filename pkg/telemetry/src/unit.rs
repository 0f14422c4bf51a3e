//! The state of the unit, told to systemd (`sd_notify(3)`); a process that no systemd started tells nobody.

use sd_notify::NotifyState;

/// Traffic flows and the API answers.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The process is on its way out.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell systemd the state of this unit");
    }
}
