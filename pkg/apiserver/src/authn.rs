//! Who asks.
//!
//! Each [`Authenticator`] looks at one kind of credential. The first that knows its own decides; a credential that
//! nobody knows, or that is not good, is 401; no credential at all is [`ANONYMOUS`].

use http::request::Parts;
use kedge_machinery::Status;

mod certificates;
mod impersonation;

pub use certificates::{ClientCertificates, Peer};
pub(crate) use impersonation::impersonate;
pub use kedge_registry::user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};

/// Knows one kind of credential.
pub trait Authenticator: Send + Sync {
    /// The user of the request's credential of this kind; `None` when it has none of this kind, 401 when it has
    /// one that is not good.
    fn authenticate(&self, request: &Parts, peer: &Peer) -> Result<Option<User>, Status>;
}

impl<A: Authenticator + ?Sized> Authenticator for std::sync::Arc<A> {
    fn authenticate(&self, request: &Parts, peer: &Peer) -> Result<Option<User>, Status> {
        (**self).authenticate(request, peer)
    }
}

/// Asks each authenticator in turn.
pub(crate) fn authenticate(
    authenticators: &[Box<dyn Authenticator>],
    request: &Parts,
    peer: &Peer,
) -> Result<User, Status> {
    for authenticator in authenticators {
        if let Some(mut user) = authenticator.authenticate(request, peer)? {
            if !user.is_in(AUTHENTICATED) {
                user.groups.push(AUTHENTICATED.into());
            }
            return Ok(user);
        }
    }
    // A token that nobody took must not pass as nobody: its bearer would wonder at the 403.
    if request.headers.contains_key(http::header::AUTHORIZATION) {
        return Err(Status::unauthorized());
    }
    Ok(User::anonymous())
}
