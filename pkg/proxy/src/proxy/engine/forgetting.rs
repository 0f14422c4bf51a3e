//! Flows and clients of endpoints that are gone: forgotten once the rules are in the kernel, and once more when every
//! packet has passed that was on its way.
//!
//! A packet that is past the former rules but not yet past the last hook brings back what was forgotten, and the client's
//! next packets keep it.

use crate::kernel::Kernel;
use crate::state::{Forget, State};

/// What has been forgotten, and may be back.
#[derive(Debug, Default)]
pub struct Forgetting {
    /// Forgotten once.
    unsettled: Forget,
    /// The same, while packets pass.
    settling: Forget,
    /// Whether it has been said that clients cannot be forgotten.
    said: bool,
}

impl Forgetting {
    /// Forgets for the first time.
    pub fn forget(&mut self, forget: Forget, kernel: &mut impl Kernel) {
        self.carry_out(&forget, kernel);
        self.unsettled.extend(forget);
    }

    /// True if something is to be forgotten once more, after packets that are on their way now have passed.
    pub fn begin_settling(&mut self) -> bool {
        let begins = self.settling.is_empty() && !self.unsettled.is_empty();
        if begins {
            self.settling = std::mem::take(&mut self.unsettled);
        }
        begins
    }

    /// Forgets for the second time, as far as it is still right.
    pub fn settle(&mut self, state: &State, kernel: &mut impl Kernel) {
        let mut settling = std::mem::take(&mut self.settling);
        state.refresh(&mut settling);
        self.carry_out(&settling, kernel);
    }

    /// That a kernel has no way to forget is no reason to keep the rules waiting.
    fn carry_out(&mut self, Forget { stale, learnt }: &Forget, kernel: &mut impl Kernel) {
        if !stale.is_empty() {
            kernel.forget_flows(stale);
        }
        if learnt.is_empty() {
            return;
        }
        match kernel.forget_clients(learnt) {
            Ok(count) => {
                tracing::debug!("{count} clients of endpoints that are gone are forgotten");
            }
            Err(error) if !std::mem::replace(&mut self.said, true) => tracing::warn!(
                "clients of endpoints that are gone cannot be forgotten, some go on with another only after their time: {error}"
            ),
            Err(_) => {}
        }
    }
}
