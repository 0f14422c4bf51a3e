//! Names and addresses in a Pod, and what it shares of its host's network.

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, names};
use serde_json::Value;

use crate::check;
use crate::value::{flag, int, list, present, text, texts};

/// What the resolvers of C libraries read.
const MOST_SERVERS: usize = 3;
const MOST_DOMAINS: usize = 32;
const MOST_CHARACTERS: usize = 2048;
/// The longest name that Linux gives a host.
const MAX_HOSTNAME: usize = 64;

/// `dnsConfig` of a spec at a path; the policy `None` counts on it.
pub(super) fn dns(at: &str, spec: &Value) -> Vec<FieldError> {
    let path = format!("{at}.dnsConfig");
    let own = |key: &str| format!("{path}.{key}");
    let config = present(spec, "dnsConfig");
    let servers = config.map_or_else(Vec::new, |config| texts(config, "nameservers"));
    if text(spec, "dnsPolicy") == "None" {
        if config.is_none() {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            return vec![FieldError::required(path, detail)];
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return vec![FieldError::required(own("nameservers"), detail)];
        }
    }
    let Some(config) = config else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    if servers.len() > MOST_SERVERS {
        let detail = format!("must not have more than {MOST_SERVERS} nameservers");
        errors.push(FieldError::invalid(
            own("nameservers"),
            servers.clone(),
            detail,
        ));
    }
    for (i, server) in servers.into_iter().enumerate() {
        errors.extend(check::ip(&format!("{path}.nameservers[{i}]"), server).err());
    }
    let domains = texts(config, "searches");
    let mut wrong = |detail: String| {
        errors.push(FieldError::invalid(
            own("searches"),
            domains.clone(),
            detail,
        ));
    };
    if domains.len() > MOST_DOMAINS {
        wrong(format!(
            "must not have more than {MOST_DOMAINS} search paths"
        ));
    }
    if domains.join(" ").len() > MOST_CHARACTERS {
        wrong(format!(
            "must not have more than {MOST_CHARACTERS} characters (including spaces) in the search list"
        ));
    }
    for (i, domain) in domains.into_iter().enumerate().filter(|(_, d)| *d != ".") {
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let at = format!("{path}.searches[{i}]");
        let bad = names::underscored_subdomain(domain);
        errors.extend(check::invalid(&at, domain, bad));
    }
    for (i, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            let at = format!("{path}.options[{i}]");
            errors.push(FieldError::required(at, "must not be empty"));
        }
    }
    errors
}

/// Lines of `/etc/hosts`.
pub(super) fn aliases(path: &str, aliases: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, alias) in aliases.iter().enumerate() {
        errors.extend(check::ip(&format!("{path}[{i}].ip"), text(alias, "ip")).err());
        for (j, name) in texts(alias, "hostnames").into_iter().enumerate() {
            errors.extend(check::subdomain(
                &format!("{path}[{i}].hostnames[{j}]"),
                name,
            ));
        }
    }
    errors
}

/// On the node's network a container's port is the node's; a template may leave that to the Pod.
pub(super) fn host_ports(at: &str, spec: &Value, of_pod: bool) -> Vec<FieldError> {
    if !flag(spec, "hostNetwork") {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for (i, container) in list(spec, "containers").iter().enumerate() {
        for (j, port) in list(container, "ports").iter().enumerate() {
            let (own, host) = (int(port, "containerPort"), int(port, "hostPort"));
            if (of_pod || host != 0) && host != own {
                let at = format!("{at}.containers[{i}].ports[{j}].hostPort");
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(at, host, detail));
            }
        }
    }
    errors
}

/// A Pod with users of its own has namespaces of its own.
pub(super) fn host_users(at: &str, spec: &Value) -> Vec<FieldError> {
    if present(spec, "hostUsers") != Some(&Value::Bool(false)) {
        return Vec::new();
    }
    let shared = [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ];
    let shared = shared.iter().filter(|(key, _)| flag(spec, key));
    let detail = "when `pod.Spec.HostUsers` is false";
    shared
        .map(|(_, shown)| FieldError::forbidden(format!("{at}.{shown}"), detail))
        .collect()
}

/// A name of the host in place of that made of the Pod's (KEP-4762).
pub(super) fn hostname_override(at: &str, spec: &Value) -> Vec<FieldError> {
    let Some(name) = present(spec, "hostnameOverride").and_then(Value::as_str) else {
        return Vec::new();
    };
    let path = format!("{at}.hostnameOverride");
    let mut errors = check::subdomain(&path, name);
    if name.len() > MAX_HOSTNAME {
        let detail = format!("may not be more than {MAX_HOSTNAME} bytes");
        let kind = FieldErrorKind::TooLong;
        errors.push(FieldError::new(kind, &path, None, detail));
    }
    if flag(spec, "setHostnameAsFQDN") {
        let detail = "may not be specified when `hostnameOverride` is set";
        errors.push(FieldError::forbidden(
            format!("{at}.setHostnameAsFQDN"),
            detail,
        ));
    }
    if flag(spec, "hostNetwork") {
        let detail = "may not be specified when `hostNetwork` is true";
        errors.push(FieldError::forbidden(path, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn fields(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.field.as_str()).collect()
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"dnsPolicy": "None"}), &["s.dnsConfig"])]
    #[case(json!({"dnsPolicy": "None", "dnsConfig": {"searches": ["a"]}}), &["s.dnsConfig.nameservers"])]
    #[case(json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1", "2001:db8::1"]}}), &[])]
    #[case(json!({"dnsConfig": {"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "x"]}}), &["s.dnsConfig.nameservers", "s.dnsConfig.nameservers[3]"])]
    #[case(json!({"dnsConfig": {"searches": [".", "a_b.svc.", "_tcp.example.com"]}}), &[])]
    #[case(json!({"dnsConfig": {"searches": ["A", "a..b"]}}), &["s.dnsConfig.searches[0]", "s.dnsConfig.searches[1]"])]
    #[case(json!({"dnsConfig": {"options": [{"name": "ndots", "value": "2"}, {"name": ""}]}}), &["s.dnsConfig.options[1]"])]
    fn resolvers(#[case] spec: Value, #[case] want: &[&str]) {
        assert_eq!(fields(&dns("s", &spec)), want);
    }

    #[test]
    fn domains_are_few_and_short() {
        let with =
            |domains: Vec<String>| dns("s", &json!({"dnsConfig": {"searches": domains}})).len();
        assert_eq!(with(vec!["a".into(); 32]), 0);
        assert_eq!(with(vec!["a".into(); 33]), 1);
        let long = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(40),
        ]
        .join(".");
        assert_eq!(with(vec![long.clone(); 8]), 0);
        assert_eq!(with(vec![long; 9]), 1);
    }

    #[test]
    fn hosts() {
        let lines = [
            json!({"ip": "10.0.0.1", "hostnames": ["a.b"]}),
            json!({"ip": "x", "hostnames": ["a", "A"]}),
        ];
        assert_eq!(
            fields(&aliases("h", &lines)),
            ["h[1].ip", "h[1].hostnames[1]"]
        );
    }

    #[rstest]
    #[case(80, 80, &[], &[])]
    #[case(80, 0, &["s.containers[0].ports[0].hostPort"], &[])]
    #[case(80, 81, &["s.containers[0].ports[0].hostPort"], &["s.containers[0].ports[0].hostPort"])]
    fn ports_of_the_node(
        #[case] own: i64,
        #[case] host: i64,
        #[case] pod: &[&str],
        #[case] template: &[&str],
    ) {
        let port = json!({"containerPort": own, "hostPort": host});
        let spec = json!({"hostNetwork": true, "containers": [{"ports": [port]}]});
        assert_eq!(fields(&host_ports("s", &spec, true)), pod);
        assert_eq!(fields(&host_ports("s", &spec, false)), template);
    }

    #[test]
    fn users_of_ones_own_share_nothing() {
        let spec =
            json!({"hostUsers": false, "hostNetwork": true, "hostPID": true, "hostIPC": true});
        assert_eq!(
            fields(&host_users("s", &spec)),
            ["s.hostNetwork", "s.HostPID", "s.HostIPC"]
        );
        assert!(host_users("s", &json!({"hostUsers": true, "hostPID": true})).is_empty());
    }

    #[rstest]
    #[case(json!({"hostnameOverride": "a.example.com"}), &[])]
    #[case(json!({"hostnameOverride": "A"}), &["s.hostnameOverride"])]
    #[case(json!({"hostnameOverride": "a".repeat(65)}), &["s.hostnameOverride"])]
    #[case(json!({"hostnameOverride": "a", "setHostnameAsFQDN": true, "hostNetwork": true}), &["s.setHostnameAsFQDN", "s.hostnameOverride"])]
    fn another_name(#[case] spec: Value, #[case] want: &[&str]) {
        assert_eq!(fields(&hostname_override("s", &spec)), want);
    }
}
