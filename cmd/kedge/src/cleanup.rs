//! `kedge cleanup`: every rule, address and route that kedge made, out of the kernel.

/// Part of it could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    #[error("cannot remove the tables: {0}")]
    Tables(#[from] kedge_proxy::Error),
    #[error("cannot remove addresses and routes: {0}")]
    Addresses(#[from] kedge_addresses::Error),
    #[error("{0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Removes, and says what.
pub async fn cleanup() -> Result<(), CleanupError> {
    tokio::task::spawn_blocking(kedge_proxy::cleanup).await??;
    let removed = kedge_addresses::cleanup().await?;
    println!("removed the tables ip kedge and ip6 kedge, {removed}; forwarding stays as it is");
    Ok(())
}
