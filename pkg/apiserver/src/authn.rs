//! Who asks.
//!
//! Each [`Authenticator`] looks at one kind of credential. The first that is good decides; where there are some and
//! none is good, it is 401; no credential at all, or of a kind that nobody knows, is [`ANONYMOUS`].

use http::request::Parts;
use kedge_machinery::Status;

mod bearer;
mod bootstrap;
mod certificates;
mod impersonation;
mod service_account;
mod stored;
mod verified;

pub use bearer::{Authenticated, BadToken, BearerTokens, TokenAuthenticator};
pub(crate) use bootstrap::BootstrapTokens;
pub use certificates::{ClientCertificates, Peer};
pub(crate) use impersonation::impersonate;
pub use kedge_registry::user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};
pub(crate) use service_account::ServiceAccountTokens;

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
    let mut refused = None;
    for authenticator in authenticators {
        match authenticator.authenticate(request, peer) {
            Ok(Some(mut user)) => {
                if !user.is_in(AUTHENTICATED) {
                    user.groups.push(AUTHENTICATED.into());
                }
                return Ok(user);
            }
            Ok(None) => {}
            Err(status) => refused = Some(status),
        }
    }
    refused.map_or_else(|| Ok(User::anonymous()), Err)
}
