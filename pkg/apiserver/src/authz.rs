//! Who may do what.
//!
//! Each [`Authorizer`] allows what it knows of, or has no opinion; what nobody allows is 403.

use kedge_machinery::Status;

use crate::authn::User;
use crate::request_info::RequestInfo;

mod always;

pub(crate) use always::is_public;
pub use always::{Public, SystemMasters};

/// Knows one kind of permission.
pub trait Authorizer: Send + Sync {
    /// True when it allows the request; false when it has no opinion.
    fn allows(&self, user: &User, request: &RequestInfo) -> bool;
}

/// Allows when any authorizer does; 403 in upstream's words (`handlers/responsewriters/errors.go`) otherwise.
pub(crate) fn authorize(
    authorizers: &[Box<dyn Authorizer>],
    user: &User,
    request: &RequestInfo,
) -> Result<(), Status> {
    if authorizers
        .iter()
        .any(|authorizer| authorizer.allows(user, request))
    {
        return Ok(());
    }
    Err(forbidden(user, request))
}

fn forbidden(user: &User, request: &RequestInfo) -> Status {
    let (user, verb) = (&user.name, &request.verb);
    if !request.is_resource {
        let mut status = Status::forbidden(
            "",
            "",
            "",
            &format!("User \"{user}\" cannot {verb} path \"{}\"", request.path),
        );
        // A path is no resource: the text begins with "forbidden", and the details are empty.
        status.message = status.message.trim_start_matches(" is ").to_string();
        return status;
    }
    let resource = match request.subresource.as_str() {
        "" => request.resource.clone(),
        subresource => format!("{}/{subresource}", request.resource),
    };
    let place = match request.namespace.as_str() {
        "" => "at the cluster scope".to_string(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let why = format!(
        "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
        request.group
    );
    Status::forbidden(&request.group, &request.resource, &request.name, &why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use rstest::rstest;

    fn ask(user: &User, method: Method, path: &str) -> Result<(), Status> {
        let rules: [Box<dyn Authorizer>; 2] = [Box::new(SystemMasters), Box::new(Public)];
        authorize(&rules, user, &RequestInfo::parse(&method, path, ""))
    }

    #[rstest]
    #[case(Method::GET, "/livez", true)]
    #[case(Method::GET, "/readyz/store", true)]
    #[case(Method::GET, "/healthz", true)]
    #[case(Method::GET, "/version", true)]
    #[case(Method::GET, "/version/", true)]
    #[case(Method::POST, "/version", false)]
    #[case(Method::GET, "/versions", false)]
    #[case(Method::GET, "/livezzz", false)]
    #[case(Method::GET, "/api", false)]
    #[case(Method::GET, "/openapi/v3", false)]
    #[case(Method::GET, "/metrics", false)]
    #[case(Method::GET, "/api/v1/namespaces/default/services", false)]
    #[case(Method::POST, "/api/v1/namespaces", false)]
    fn nobody_gets_in_but_to_health_and_version(
        #[case] method: Method,
        #[case] path: &str,
        #[case] allowed: bool,
    ) {
        assert_eq!(
            ask(&User::anonymous(), method.clone(), path).is_ok(),
            allowed
        );
        let reader = User {
            name: "jo".into(),
            groups: vec!["system:authenticated".into()],
            ..User::default()
        };
        assert_eq!(ask(&reader, method.clone(), path).is_ok(), allowed);
        let master = User {
            name: "root".into(),
            groups: vec!["system:masters".into()],
            ..User::default()
        };
        assert!(ask(&master, method, path).is_ok());
    }

    #[rstest]
    #[case(
        Method::GET,
        "/api/v1/namespaces/default/services",
        "services is forbidden: User \"x\" cannot list resource \"services\" in API group \"\" in the namespace \"default\""
    )]
    #[case(
        Method::DELETE,
        "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices/s",
        "endpointslices.discovery.k8s.io \"s\" is forbidden: User \"x\" cannot delete resource \"endpointslices\" in API group \"discovery.k8s.io\" in the namespace \"n\""
    )]
    #[case(
        Method::GET,
        "/api/v1/nodes",
        "nodes is forbidden: User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    )]
    #[case(
        Method::PATCH,
        "/api/v1/namespaces/n/services/s/status",
        "services \"s\" is forbidden: User \"x\" cannot patch resource \"services/status\" in API group \"\" in the namespace \"n\""
    )]
    #[case(
        Method::GET,
        "/metrics",
        "forbidden: User \"x\" cannot get path \"/metrics\""
    )]
    fn a_refusal_reads_as_upstreams(
        #[case] method: Method,
        #[case] path: &str,
        #[case] expected: &str,
    ) {
        let user = User {
            name: "x".into(),
            ..User::default()
        };
        let status = ask(&user, method, path).unwrap_err();
        assert_eq!((status.code, status.reason), (403, "Forbidden"));
        assert_eq!(status.message, expected);
    }
}
