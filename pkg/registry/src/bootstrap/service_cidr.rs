//! The ranges of ClusterIPs, as the API shows them: the ServiceCIDR `kubernetes` (KEP-1880).

use jiff::Timestamp;
use kedge_machinery::{Object, Status, time};
use serde_json::{Value, json};

use super::{object, options};
use crate::registry::Registry;
use crate::request::{GetOptions, Target};
use crate::stored::parse;

/// The name that upstream gives it.
pub(crate) const NAME: &str = "kubernetes";
const READY: &str = "Kubernetes default Service CIDR is ready";

impl Registry {
    /// Makes the object say what the server was told. A range stays for good, so other ranges make another object.
    pub(super) async fn ensure_service_cidr(&self) -> Result<(), Status> {
        let kind = self.kind("networking.k8s.io", "servicecidrs")?;
        let target = Target::new(kind, "", NAME);
        let cidrs: Vec<String> = self
            .inner
            .pools
            .cidrs
            .iter()
            .map(ToString::to_string)
            .collect();
        let spec = json!({"cidrs": cidrs});
        let there = match self.get(&target, &GetOptions::default()) {
            Ok(entry) => Some(parse(&entry)?),
            Err(status) if status.is_not_found() => None,
            Err(status) => return Err(status),
        };
        let there = match there {
            Some(there) if there.at(&["spec"]) == Some(&spec) => there,
            other => {
                if other.is_some() {
                    self.delete(&target, &Default::default()).await?;
                }
                let body = object(json!({"metadata": {"name": NAME}, "spec": spec}));
                let made = self.create(&target, body, &options()).await?;
                serde_json::from_slice(&made.value)
                    .ok()
                    .and_then(Object::from_value)
                    .unwrap_or_default()
            }
        };
        if is_ready(&there) {
            return Ok(());
        }
        let mut body = there;
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "", "message": READY,
            "lastTransitionTime": time::rfc3339(Timestamp::now()),
        });
        body.0
            .insert("status".into(), json!({"conditions": [condition]}));
        let status = target.subresource("status");
        self.update(&status, body, &options()).await.map(|_| ())
    }
}

fn is_ready(range: &Object) -> bool {
    let conditions = range
        .at(&["status", "conditions"])
        .and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.get("type") == Some(&json!("Ready")) && c.get("status") == Some(&json!("True")))
}
