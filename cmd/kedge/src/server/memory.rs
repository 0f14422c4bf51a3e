//! Pages that nothing uses any more: kept while requests come, as the next one needs them again, and given back after that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::heap;
use crate::tasks::Shutdown;

/// From a request to the kernel's having back what it left, at most.
const AFTER: Duration = Duration::from_secs(1);

/// Gives pages back after what the start took, and after requests; sleeps while none come.
pub async fn run(served: Arc<Notify>, mut shutdown: Shutdown) -> Result<(), String> {
    heap::keep_pages();
    served.notify_one();
    loop {
        let work = async {
            served.notified().await;
            tokio::time::sleep(AFTER).await;
        };
        tokio::select! {
            () = work => heap::give_pages_back(),
            () = &mut shutdown => return Ok(()),
        }
    }
}
