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

/// The user of requests that carry no credential.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of everyone who showed a credential.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everyone who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Who asks, as far as rules know them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// Further facts, each with its values, for example `authentication.kubernetes.io/pod-name`.
    pub extra: Vec<(String, Vec<String>)>,
}

impl User {
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.into(),
            groups: vec![UNAUTHENTICATED.into()],
            ..Self::default()
        }
    }

    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

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
