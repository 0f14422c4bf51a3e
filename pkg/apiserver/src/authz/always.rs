//! The rule that holds whatever else is configured.

use super::Authorizer;
use crate::authn::User;
use crate::request_info::RequestInfo;

/// The group `system:masters` may do everything.
pub struct SystemMasters;

impl Authorizer for SystemMasters {
    fn allows(&self, user: &User, _: &RequestInfo) -> bool {
        user.is_in(kedge_rbac::MASTERS)
    }
}

/// Whether a request reads health or version: answered however busy the server is.
pub(crate) fn is_public(request: &RequestInfo) -> bool {
    if request.is_resource || request.verb != "get" {
        return false;
    }
    let path = request.path.trim_end_matches('/');
    let first = path
        .get(1..)
        .unwrap_or_default()
        .split('/')
        .next()
        .unwrap_or_default();
    path == "/version" || matches!(first, "livez" | "readyz" | "healthz")
}
