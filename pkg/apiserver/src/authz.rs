//! Who may do what.
//!
//! Each [`Authorizer`] allows what it knows of, or has no opinion; what nobody allows is 403.

use kedge_machinery::Status;
use kedge_rbac::Rule;

use crate::authn::User;
use crate::refusal;
use crate::request_info::RequestInfo;

mod always;
mod node;
mod rbac;

pub use always::SystemMasters;
pub(crate) use always::is_public;
pub use node::Node;
pub use rbac::Rbac;

/// Knows one kind of permission.
pub trait Authorizer: Send + Sync {
    /// True when it allows the request; false when it has no opinion.
    fn allows(&self, user: &User, request: &RequestInfo) -> bool;

    /// The same, with why. Slower: for whoever asks about permissions, and for refusals.
    fn explain(&self, user: &User, request: &RequestInfo) -> Verdict {
        Verdict {
            allowed: self.allows(user, request),
            reason: String::new(),
        }
    }

    /// What somebody may do in a namespace, as far as that is a list of rules.
    fn rules(&self, user: &User, namespace: &str) -> Rules {
        let _ = (user, namespace);
        Rules::default()
    }
}

/// An answer, and what is said about it; empty where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    pub reason: String,
}

/// Rules that somebody has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    pub rules: Vec<Rule>,
    /// Why these may not be all.
    pub error: Option<String>,
    pub incomplete: bool,
}

/// Asks each authorizer in turn, until one allows; what those say that do not stands in lines.
pub(crate) fn decide(
    authorizers: &[Box<dyn Authorizer>],
    user: &User,
    request: &RequestInfo,
) -> Verdict {
    let mut reasons = Vec::new();
    for authorizer in authorizers {
        let verdict = authorizer.explain(user, request);
        if verdict.allowed {
            return verdict;
        }
        if !verdict.reason.is_empty() {
            reasons.push(verdict.reason);
        }
    }
    Verdict {
        allowed: false,
        reason: reasons.join("\n"),
    }
}

/// Everything that the authorizers know somebody may do in a namespace.
pub(crate) fn rules(authorizers: &[Box<dyn Authorizer>], user: &User, namespace: &str) -> Rules {
    let (mut all, mut errors) = (Rules::default(), Vec::new());
    for authorizer in authorizers {
        let own = authorizer.rules(user, namespace);
        all.rules.extend(own.rules);
        all.incomplete |= own.incomplete;
        errors.extend(own.error);
    }
    all.error = match errors.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(", "))),
    };
    all
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
    let reason = decide(authorizers, user, request).reason;
    Err(forbidden(user, request, &reason))
}

fn forbidden(user: &User, request: &RequestInfo, reason: &str) -> Status {
    let (user, verb) = (&user.name, &request.verb);
    let mut why = if request.is_resource {
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        let place = match request.namespace.as_str() {
            "" => "at the cluster scope".to_string(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        format!(
            "User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {place}",
            request.group
        )
    } else {
        format!("User \"{user}\" cannot {verb} path \"{}\"", request.path)
    };
    why = refusal::escaped(&why);
    if !reason.is_empty() {
        why = format!("{why}: {reason}");
    }
    let mut status = Status::forbidden(&request.group, &request.resource, &request.name, &why);
    if !request.is_resource {
        // A path is no resource: the text begins with "forbidden", and the details are empty.
        status.message = status.message.trim_start_matches(" is ").to_string();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use rstest::rstest;

    /// Allows nothing, and says something of it.
    struct Says(&'static str);

    impl Authorizer for Says {
        fn allows(&self, _: &User, _: &RequestInfo) -> bool {
            false
        }

        fn explain(&self, _: &User, _: &RequestInfo) -> Verdict {
            Verdict {
                allowed: false,
                reason: self.0.into(),
            }
        }
    }

    fn ask(user: &User, method: Method, path: &str, says: &[&'static str]) -> Result<(), Status> {
        let mut rules: Vec<Box<dyn Authorizer>> = vec![Box::new(SystemMasters)];
        rules.extend(
            says.iter()
                .map(|text| Box::new(Says(text)) as Box<dyn Authorizer>),
        );
        authorize(&rules, user, &RequestInfo::parse(&method, path, ""))
    }

    fn user(name: &str, group: &str) -> User {
        User {
            name: name.into(),
            groups: vec![group.into()],
            ..User::default()
        }
    }

    #[test]
    fn masters_may_everything_and_nobody_else_anything() {
        for path in ["/version", "/api/v1/nodes", "/nothing"] {
            assert!(ask(&user("x", "system:masters"), Method::GET, path, &[]).is_ok());
            assert!(ask(&user("system:masters", "x"), Method::GET, path, &[]).is_err());
            assert!(ask(&User::anonymous(), Method::GET, path, &[]).is_err());
        }
    }

    #[rstest]
    #[case(Method::GET, "/livez", true)]
    #[case(Method::GET, "/readyz/store", true)]
    #[case(Method::GET, "/healthz", true)]
    #[case(Method::GET, "/version/", true)]
    #[case(Method::POST, "/version", false)]
    #[case(Method::GET, "/versions", false)]
    #[case(Method::GET, "/livezzz", false)]
    #[case(Method::GET, "/api", false)]
    #[case(Method::GET, "/api/v1/namespaces/default/services", false)]
    fn health_and_version(#[case] method: Method, #[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_public(&RequestInfo::parse(&method, path, "")), expected);
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
        let status = ask(&user("x", ""), method, path, &[]).unwrap_err();
        assert_eq!((status.code, status.reason), (403, "Forbidden"));
        assert_eq!(status.message, expected);
    }

    #[test]
    fn what_authorizers_say_stands_in_the_refusal() {
        let status = ask(
            &user("<b>", ""),
            Method::GET,
            "/metrics",
            &["one", "", "two"],
        );
        let text = "forbidden: User \"&lt;b&gt;\" cannot get path \"/metrics\": one\ntwo";
        assert_eq!(status.unwrap_err().message, text);
    }
}
