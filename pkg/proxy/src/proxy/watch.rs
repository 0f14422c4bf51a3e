//! What others do to our tables.

use kedge_nftables::{Event, Monitor};

use crate::error::Error;
use crate::family::Family;
use crate::ruleset::TABLE;

/// Waits for transactions of others that touch our tables.
#[derive(Debug)]
pub struct Watch {
    monitor: Monitor,
    /// The transaction that is being read has touched them.
    touched: bool,
}

impl Watch {
    /// Follows the network namespace of the calling thread; transactions of the socket with port
    /// `own` are left out.
    pub fn open(own: u32) -> Result<Self, Error> {
        Ok(Self {
            monitor: Monitor::open(&[own])?,
            touched: false,
        })
    }

    /// Returns once somebody else has touched our tables, or may have. May be dropped and called
    /// again.
    pub async fn touched(&mut self) -> Result<(), Error> {
        loop {
            let event = self.monitor.next().await?;
            if self.concerns(event) {
                return Ok(());
            }
        }
    }

    fn concerns(&mut self, event: Event) -> bool {
        match event {
            Event::Change(change) => {
                let operation = change.operation;
                self.touched |= operation.table == TABLE
                    && Family::ALL
                        .iter()
                        .any(|family| family.table() == operation.family);
                false
            }
            // Before its end, a transaction is nothing yet.
            Event::Generation(_) => std::mem::take(&mut self.touched),
            Event::Lost => {
                tracing::warn!(
                    "more happened to the ruleset than could be followed: reading all of it"
                );
                self.touched = false;
                true
            }
        }
    }
}
