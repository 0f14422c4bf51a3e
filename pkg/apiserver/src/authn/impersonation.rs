//! Acting as somebody else: the `Impersonate-*` headers, for those who may.
//!
//! The rules are kube-apiserver's (`endpoints/filters/impersonation.go`): each header is asked of the authorizers
//! as the verb `impersonate`, and only the request's own user is asked for.

use http::{HeaderMap, HeaderName};
use kedge_machinery::{Status, names};

use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};
use crate::authz::{self, Authorizer};
use crate::request_info::RequestInfo;

/// What the names of these headers begin with.
const ALL: &str = "impersonate-";
const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The user that the request wants to be: its own, unless its headers name another and it may be that one.
pub(crate) fn impersonate(
    user: User,
    headers: &HeaderMap,
    authorizers: &[Box<dyn Authorizer>],
) -> Result<User, Status> {
    let wanted = wanted(headers)?;
    let Some(wanted) = wanted else {
        return Ok(user);
    };
    for question in questions(&wanted) {
        authz::authorize(authorizers, &user, &question)?;
    }
    tracing::debug!(user = user.name, wanted = wanted.name, "impersonation");
    Ok(complete(wanted))
}

/// What the headers say; 400 when they say more of a user than who it is.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let concerns_us = |name: &HeaderName| name.as_str().starts_with(ALL);
    if !headers.keys().any(concerns_us) {
        return Ok(None);
    }
    let texts = |name: &str| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(Into::into)
            .collect()
    };
    let first = |name: &str| texts(name).into_iter().next().unwrap_or_default();
    let mut wanted = User {
        name: first(USER),
        uid: first(UID),
        groups: texts(GROUP),
        extra: Vec::new(),
    };
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            wanted
                .extra
                .push((crate::query::decode_path(key), texts(name.as_str())));
        }
    }
    if !wanted.name.is_empty() {
        return Ok(Some(wanted));
    }
    if wanted == User::default() {
        return Ok(None);
    }
    let asked: Vec<String> = references(&wanted);
    Err(Status::bad_request(format!(
        "requested [{}] without impersonating a user",
        asked.join(" ")
    )))
}

/// What is asked for beside a user, as Go prints references to objects: kind, namespace, name, uid, version, resource version and field.
fn references(wanted: &User) -> Vec<String> {
    let version = "authentication.k8s.io/v1";
    let groups = wanted.groups.iter();
    let mut all: Vec<String> = groups
        .map(|group| format!("{{Group  {group}    }}"))
        .collect();
    for (key, values) in &wanted.extra {
        let of = |value| format!("{{UserExtra  {value}  {version}  {key}}}");
        all.extend(values.iter().map(of));
    }
    if !wanted.uid.is_empty() {
        all.push(format!("{{UID  {}  {version}  }}", wanted.uid));
    }
    all
}

/// What has to be allowed.
fn questions(wanted: &User) -> Vec<RequestInfo> {
    let ask = |group: &str, resource: &str, name: &str| RequestInfo {
        is_resource: true,
        verb: "impersonate".into(),
        group: group.into(),
        version: if group.is_empty() {
            String::new()
        } else {
            "v1".into()
        },
        resource: resource.into(),
        name: name.into(),
        ..RequestInfo::default()
    };
    let mut all = match service_account(&wanted.name) {
        Some((namespace, name)) => {
            vec![RequestInfo {
                namespace: namespace.into(),
                ..ask("", "serviceaccounts", name)
            }]
        }
        None => vec![ask("", "users", &wanted.name)],
    };
    all.extend(wanted.groups.iter().map(|group| ask("", "groups", group)));
    for (key, values) in &wanted.extra {
        all.extend(values.iter().map(|value| RequestInfo {
            subresource: key.clone(),
            ..ask("authentication.k8s.io", "userextras", value)
        }));
    }
    if !wanted.uid.is_empty() {
        all.push(ask("authentication.k8s.io", "uids", &wanted.uid));
    }
    all
}

/// Adds the groups that everyone of the kind is in.
fn complete(mut user: User) -> User {
    if user.groups.is_empty()
        && let Some((namespace, _)) = service_account(&user.name)
    {
        user.groups = vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    let anonymous = user.name == ANONYMOUS;
    // Who asks to be unauthenticated is not the other thing too.
    let has_one = user.is_in(UNAUTHENTICATED) || (!anonymous && user.is_in(AUTHENTICATED));
    if !has_one {
        let everyone = if anonymous {
            UNAUTHENTICATED
        } else {
            AUTHENTICATED
        };
        user.groups.push(everyone.into());
    }
    user
}

/// Namespace and name of `system:serviceaccount:NAMESPACE:NAME`, where they are such; any other is a user's name.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(SERVICE_ACCOUNT)?
        .split_once(':')
        .filter(|(namespace, name)| {
            names::dns1123_label(namespace).is_empty() && names::dns1123_subdomain(name).is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::SystemMasters;
    use http::{HeaderName, HeaderValue};

    fn ask(user: &User, headers: &[(&'static str, &'static str)]) -> Result<User, Status> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let rules: [Box<dyn Authorizer>; 1] = [Box::new(SystemMasters)];
        impersonate(user.clone(), &map, &rules)
    }

    fn master() -> User {
        User {
            name: "root".into(),
            groups: vec!["system:masters".into()],
            ..User::default()
        }
    }

    #[test]
    fn without_headers_everyone_is_himself() {
        assert_eq!(ask(&User::anonymous(), &[]).unwrap(), User::anonymous());
    }

    #[test]
    fn a_master_becomes_another_and_loses_what_he_was() {
        let user = ask(
            &master(),
            &[(USER, "jo"), (GROUP, "a"), (GROUP, "b"), (UID, "7")],
        )
        .unwrap();
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("jo", "7"));
        assert_eq!(user.groups, ["a", "b", AUTHENTICATED]);
        let extra = ask(&master(), &[(USER, "jo"), ("impersonate-extra-a%2fb", "x")])
            .unwrap()
            .extra;
        assert_eq!(extra, [("a/b".to_string(), vec!["x".to_string()])]);
        assert_eq!(
            ask(&master(), &[(USER, ANONYMOUS)]).unwrap().groups,
            [UNAUTHENTICATED]
        );
        let robot = ask(&master(), &[(USER, "system:serviceaccount:ns:robot")]).unwrap();
        let odd = ask(&master(), &[(USER, "system:serviceaccount:NS:robot")]).unwrap();
        assert_eq!(odd.groups, [AUTHENTICATED]);
        assert_eq!(
            robot.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:ns",
                AUTHENTICATED
            ]
        );
    }

    #[test]
    fn others_may_not() {
        let jo = User {
            name: "jo".into(),
            ..User::default()
        };
        for headers in [
            &[(USER, "root")][..],
            &[(USER, "jo"), (GROUP, "system:masters")],
        ] {
            assert_eq!(ask(&jo, headers).unwrap_err().code, 403);
            assert_eq!(ask(&User::anonymous(), headers).unwrap_err().code, 403);
        }
        let text = ask(&jo, &[(USER, "root")]).unwrap_err().message;
        let expected = "users \"root\" is forbidden: User \"jo\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_group_alone_is_no_user() {
        let refused = ask(&master(), &[(GROUP, "a"), (GROUP, "b"), (UID, "7")]).unwrap_err();
        assert_eq!(refused.code, 400);
        assert_eq!(
            refused.message,
            "requested [{Group  a    } {Group  b    } {UID  7  authentication.k8s.io/v1  }] without impersonating a user"
        );
        let extra = ask(&master(), &[("impersonate-extra-k", "v")]).unwrap_err();
        assert_eq!(
            extra.message,
            "requested [{UserExtra  v  authentication.k8s.io/v1  k}] without impersonating a user"
        );
    }

    #[test]
    fn the_first_user_counts_and_groups_of_everyone_are_not_mixed() {
        let groups = |headers: &[_]| ask(&master(), headers).unwrap().groups;
        assert_eq!(
            ask(&master(), &[(USER, "jo"), (USER, "al")]).unwrap().name,
            "jo"
        );
        assert_eq!(
            groups(&[(USER, "jo"), (GROUP, UNAUTHENTICATED)]),
            [UNAUTHENTICATED]
        );
        assert_eq!(
            groups(&[(USER, "jo"), (GROUP, AUTHENTICATED)]),
            [AUTHENTICATED]
        );
        assert_eq!(
            groups(&[(USER, ANONYMOUS), (GROUP, AUTHENTICATED)]),
            [AUTHENTICATED, UNAUTHENTICATED]
        );
    }
}
