//! A user as the API shows one (`authentication.k8s.io/v1` UserInfo).

use serde_json::{Map, Value, json};

use crate::authn::User;

/// What is empty is left out.
pub(super) fn user_info(user: &User) -> Value {
    let mut info = Map::new();
    info.insert("username".into(), user.name.as_str().into());
    if !user.uid.is_empty() {
        info.insert("uid".into(), user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        info.insert("groups".into(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        let extra = user.extra.iter();
        let extra: Map<String, Value> = extra
            .map(|(key, values)| (key.clone(), json!(values)))
            .collect();
        info.insert("extra".into(), extra.into());
    }
    info.into()
}
