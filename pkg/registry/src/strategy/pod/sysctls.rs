//! Kernel parameters that a Pod asks for: their names alone, as nobody sets them here
//! (`pkg/apis/core/validation`, `validateSysctls`).

use std::collections::BTreeSet;

use kedge_machinery::FieldError;
use serde_json::Value;

use crate::value::{child, flag, list, text};

const LONGEST: usize = 253;
const DETAIL: &str = "must have at most 253 characters and match regex \
    ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// The errors of `securityContext.sysctls` in a Pod's spec at a path.
pub(super) fn sysctls(at: &str, spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    let all = list(child(spec, "securityContext"), "sysctls");
    for (i, sysctl) in all.iter().enumerate() {
        let path = format!("{at}.securityContext.sysctls[{i}].name");
        let name = text(sysctl, "name");
        if name.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if !is_name(name) {
            errors.push(FieldError::invalid(&path, name, DETAIL));
        } else if !names.insert(name) {
            errors.push(FieldError::duplicate(&path, name));
        }
        if let Some(host) = host_namespace(name).filter(|host| flag(spec, host)) {
            let detail = format!("may not be specified when '{host}' is true");
            errors.push(FieldError::invalid(path, name, detail));
        }
    }
    errors
}

/// Words of lower case between dots or slashes.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let word = |word: &str| {
        word.starts_with(inner)
            && word.ends_with(inner)
            && word.chars().all(|c| inner(c) || c == '-' || c == '_')
    };
    name.len() <= LONGEST && name.split(['.', '/']).all(word)
}

/// The field by which a Pod shares the kernel namespace of a parameter with its host
/// (`component-helpers/node/util/sysctl`).
fn host_namespace(name: &str) -> Option<&'static str> {
    let name = name.replace('/', ".");
    let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."];
    if name == "kernel.sem" || ipc.iter().any(|prefix| name.starts_with(prefix)) {
        return Some("hostIPC");
    }
    name.starts_with("net.").then_some("hostNetwork")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("kernel.shmmax", true)]
    #[case("kernel/shm_rmid_forced", true)]
    #[case("safe-and-unsafe", true)]
    #[case("a.b/c", true)]
    #[case("foo-", false)]
    #[case("bar..", false)]
    #[case(".a", false)]
    #[case("A", false)]
    #[case("a b", false)]
    fn names(#[case] name: &str, #[case] good: bool) {
        let spec = json!({"securityContext": {"sysctls": [{"name": name, "value": "1"}]}});
        assert_eq!(sysctls("spec", &spec).is_empty(), good);
    }

    #[test]
    fn a_host_shares_its_own_with_nobody() {
        let spec = json!({
            "hostNetwork": true,
            "securityContext": {"sysctls": [{"name": "net.core.somaxconn"}, {"name": "kernel.sem"}, {"name": "kernel.sem"}, {}]},
        });
        let errors = sysctls("spec", &spec);
        let found: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        let at = |i: usize| format!("spec.securityContext.sysctls[{i}].name");
        assert_eq!(found, [at(0), at(2), at(3)]);
    }
}
