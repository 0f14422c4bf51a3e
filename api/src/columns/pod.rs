//! Columns of a Pod.

use jiff::Timestamp;
use kedge_machinery::Object;
use serde_json::{Value, json};

use super::age::since_text;
use super::{AGE, Column, NAME, field, list, list_at, or, text, text_at, wide};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    text("Ready", "Containers that are ready, of all that should be."),
    text("Status", "The state of its containers in one word."),
    text(
        "Restarts",
        "How often its containers were started again, and when last.",
    ),
    AGE,
    wide("IP", "First of its addresses."),
    wide("Node", "The node that it runs on."),
    wide("Nominated Node", "The node that room is being made on."),
    wide(
        "Readiness Gates",
        "Conditions met, of those that its readiness waits for.",
    ),
];

pub(super) fn cells(pod: &Object, now: Timestamp, age: Value) -> Vec<Value> {
    let summary = Summary::of(pod);
    let restarts = match (summary.restarts, summary.last_restart) {
        (0, _) | (_, "") => summary.restarts.to_string(),
        (times, last) => format!("{times} ({} ago)", since_text(last, now)),
    };
    let ip = list_at(pod, &["status", "podIPs"])
        .first()
        .map_or("", |ip| field(ip, "ip"));
    vec![
        pod.name().into(),
        format!("{}/{}", summary.ready, summary.containers).into(),
        summary.status.into(),
        restarts.into(),
        age,
        or(ip, "<none>").into(),
        or(text_at(pod, &["spec", "nodeName"]), "<none>").into(),
        or(text_at(pod, &["status", "nominatedNodeName"]), "<none>").into(),
        readiness_gates(pod).into(),
    ]
}

/// That it has come to its end, for clients that show such Pods in another way.
pub(super) fn ended(pod: &Object) -> Option<Value> {
    let phase = text_at(pod, &["status", "phase"]);
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": phase, "message": message}]))
}

/// What the statuses of all containers come to.
#[derive(Default)]
struct Summary<'a> {
    ready: usize,
    containers: usize,
    status: String,
    restarts: i64,
    /// RFC 3339 in UTC, whose order is that of time.
    last_restart: &'a str,
}

/// The status of one container.
#[derive(Clone, Copy)]
struct Container<'a>(&'a Value);

impl<'a> Container<'a> {
    fn state(self, name: &str) -> Option<&'a Value> {
        self.0.get("state")?.get(name).filter(|s| s.is_object())
    }

    fn is_ready(self) -> bool {
        self.0
            .get("ready")
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    fn has_started(self) -> bool {
        self.0
            .get("started")
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }
}

/// `Completed`, `Signal:9` or `ExitCode:1` of a terminated state.
fn terminated(state: &Value) -> String {
    let number = |key| state.get(key).and_then(Value::as_i64).unwrap_or_default();
    match (field(state, "reason"), number("signal")) {
        ("", 0) => format!("ExitCode:{}", number("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_string(),
    }
}

impl<'a> Summary<'a> {
    fn of(pod: &'a Object) -> Self {
        let phase = text_at(pod, &["status", "phase"]);
        let mut summary = Summary {
            status: or(text_at(pod, &["status", "reason"]), phase).to_string(),
            containers: list_at(pod, &["spec", "containers"]).len(),
            ..Summary::default()
        };
        let gated = |c: &Value| {
            field(c, "type") == "PodScheduled" && field(c, "reason") == "SchedulingGated"
        };
        if list_at(pod, &["status", "conditions"]).iter().any(gated) {
            summary.status = "SchedulingGated".into();
        }
        let initialized = summary.init_containers(pod);
        if initialized || condition(pod, "Initialized") {
            summary.main_containers(pod);
        }
        if pod.is_terminating() {
            if text_at(pod, &["status", "reason"]) == "NodeLost" {
                summary.status = "Unknown".into();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                summary.status = "Terminating".into();
            }
        }
        summary
    }

    /// Init containers run one after another: the first that is not done gives the status. A sidecar (an init container
    /// that restarts always, KEP-753) counts as a container, and its restarts stay counted once the others are done.
    /// False while one of them is to be waited for.
    fn init_containers(&mut self, pod: &'a Object) -> bool {
        let specs = list_at(pod, &["spec", "initContainers"]);
        let is_sidecar = |name: &str| {
            specs
                .iter()
                .any(|s| field(s, "name") == name && field(s, "restartPolicy") == "Always")
        };
        self.containers += specs
            .iter()
            .filter(|s| field(s, "restartPolicy") == "Always")
            .count();
        let mut sidecars = Summary::default();
        for (at, status) in list_at(pod, &["status", "initContainerStatuses"])
            .iter()
            .enumerate()
        {
            let (container, is_sidecar) = (Container(status), is_sidecar(field(status, "name")));
            self.count_restarts(status);
            if is_sidecar {
                sidecars.count_restarts(status);
            }
            let reason = match (
                container.state("terminated"),
                container.state("waiting").map(|w| field(w, "reason")),
            ) {
                (Some(state), _)
                    if state
                        .get("exitCode")
                        .and_then(Value::as_i64)
                        .unwrap_or_default()
                        == 0 =>
                {
                    continue;
                }
                _ if is_sidecar && container.has_started() => {
                    self.ready += usize::from(container.is_ready());
                    continue;
                }
                (Some(state), _) => terminated(state),
                (None, Some(reason)) if !matches!(reason, "" | "PodInitializing") => {
                    reason.to_string()
                }
                _ => format!("{at}/{}", specs.len()),
            };
            self.status = format!("Init:{reason}");
            // Should the pod be initialized all the same, only sidecars count.
            if condition(pod, "Initialized") {
                (self.restarts, self.last_restart) = (sidecars.restarts, sidecars.last_restart);
            }
            return false;
        }
        (self.restarts, self.last_restart) = (sidecars.restarts, sidecars.last_restart);
        true
    }

    fn main_containers(&mut self, pod: &'a Object) {
        let mut running = false;
        // Backwards, so that the first container has the last word.
        for status in list_at(pod, &["status", "containerStatuses"]).iter().rev() {
            let container = Container(status);
            self.count_restarts(status);
            let waiting = container
                .state("waiting")
                .map(|w| field(w, "reason"))
                .filter(|reason| !reason.is_empty());
            if let Some(reason) = waiting {
                self.status = reason.into();
            } else if let Some(state) = container.state("terminated") {
                self.status = terminated(state);
            } else if container.is_ready() && container.state("running").is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.status == "Completed" && running {
            self.status = if condition(pod, "Ready") {
                "Running"
            } else {
                "NotReady"
            }
            .into();
        }
    }

    fn count_restarts(&mut self, status: &'a Value) {
        self.restarts += status
            .get("restartCount")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let finished = status
            .pointer("/lastState/terminated/finishedAt")
            .and_then(Value::as_str)
            .unwrap_or_default();
        self.last_restart = self.last_restart.max(finished);
    }
}

fn condition(pod: &Object, kind: &str) -> bool {
    let conditions = list_at(pod, &["status", "conditions"]);
    conditions
        .iter()
        .any(|c| field(c, "type") == kind && field(c, "status") == "True")
}

fn readiness_gates(pod: &Object) -> String {
    let gates = list(pod.at(&["spec", "readinessGates"]));
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = gates
        .iter()
        .filter(|gate| condition(pod, field(gate, "conditionType")))
        .count();
    format!("{met}/{}", gates.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use serde_json::{Value, json};

    fn pod(spec: Value, status: Value) -> Vec<Value> {
        row(
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": spec, "status": status }),
        )
    }

    fn one(state: Value) -> Value {
        pod(
            json!({ "containers": [{ "name": "a" }] }),
            json!({ "phase": "Running", "containerStatuses": [{ "name": "a", "state": state }] }),
        )[2]
        .clone()
    }

    #[test]
    fn a_pod_that_was_only_written_is_pending() {
        let cells = pod(
            json!({ "containers": [{ "name": "a" }, { "name": "b" }] }),
            json!({ "phase": "Pending" }),
        );
        assert_eq!(
            cells,
            [
                "p",
                "0/2",
                "Pending",
                "0",
                "<unknown>",
                "<none>",
                "<none>",
                "<none>",
                "<none>"
            ]
        );
    }

    #[test]
    fn a_running_pod_counts_what_is_ready_and_restarted() {
        let status = json!({
            "phase": "Running", "podIPs": [{ "ip": "10.42.0.11" }, { "ip": "fd00::11" }],
            "conditions": [{ "type": "Ready", "status": "True" }, { "type": "x/gate", "status": "True" }],
            "containerStatuses": [
                { "name": "a", "ready": true, "restartCount": 2, "state": { "running": {} }, "lastState": { "terminated": { "finishedAt": "2026-01-01T00:05:00Z" } } },
                { "name": "b", "ready": true, "restartCount": 1, "state": { "running": {} }, "lastState": { "terminated": { "finishedAt": "2026-01-01T00:07:30Z" } } },
            ],
        });
        let spec = json!({ "nodeName": "edge", "containers": [{ "name": "a" }, { "name": "b" }], "readinessGates": [{ "conditionType": "x/gate" }, { "conditionType": "y/gate" }] });
        assert_eq!(
            pod(spec, status),
            [
                "p",
                "2/2",
                "Running",
                "3 (2m30s ago)",
                "<unknown>",
                "10.42.0.11",
                "edge",
                "<none>",
                "1/2"
            ]
        );
    }

    #[test]
    fn the_state_of_a_container_is_the_status() {
        assert_eq!(
            one(json!({ "waiting": { "reason": "CrashLoopBackOff" } })),
            "CrashLoopBackOff"
        );
        assert_eq!(
            one(json!({ "terminated": { "exitCode": 3 } })),
            "ExitCode:3"
        );
        assert_eq!(
            one(json!({ "terminated": { "exitCode": 137, "signal": 9 } })),
            "Signal:9"
        );
        assert_eq!(
            one(json!({ "terminated": { "exitCode": 1, "reason": "Error" } })),
            "Error"
        );
        assert_eq!(one(json!({ "running": {} })), "Running");
    }

    #[test]
    fn a_pod_that_has_ended_says_so_beside_its_cells() {
        let ended = |phase: &str| {
            let pod = json!({"metadata": {"name": "p"}, "status": {"phase": phase}});
            super::ended(&kedge_machinery::Object::from_value(pod).unwrap())
        };
        for phase in ["Succeeded", "Failed"] {
            let told = ended(phase).unwrap();
            assert_eq!(told[0]["type"], "Completed");
            assert_eq!(told[0]["status"], "True");
            assert_eq!(told[0]["reason"], phase);
        }
        assert_eq!(ended("Running"), None);
    }

    #[test]
    fn completed_beside_a_running_container() {
        let spec = json!({ "containers": [{ "name": "a" }, { "name": "b" }] });
        let mut status = json!({
            "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }],
            "containerStatuses": [
                { "name": "a", "state": { "terminated": { "exitCode": 0, "reason": "Completed" } } },
                { "name": "b", "ready": true, "state": { "running": {} } },
            ],
        });
        assert_eq!(pod(spec.clone(), status.clone())[1..3], ["1/2", "NotReady"]);
        status["conditions"][0]["status"] = "True".into();
        assert_eq!(pod(spec, status)[2], "Running");
    }

    #[test]
    fn init_containers_come_first() {
        let spec = json!({ "initContainers": [{ "name": "i" }, { "name": "j" }], "containers": [{ "name": "a" }] });
        let with = |states: Value| {
            let statuses: Vec<Value> = states
                .as_array()
                .unwrap()
                .iter()
                .map(|s| json!({ "name": "i", "restartCount": 1, "state": s }))
                .collect();
            pod(
                spec.clone(),
                json!({ "phase": "Pending", "initContainerStatuses": statuses }),
            )
        };
        let done = json!({ "terminated": { "exitCode": 0, "reason": "Completed" } });
        assert_eq!(
            with(json!([done, { "running": {} }]))[2..4],
            ["Init:1/2", "2"]
        );
        assert_eq!(
            with(json!([{ "terminated": { "exitCode": 2 } }]))[2],
            "Init:ExitCode:2"
        );
        assert_eq!(
            with(json!([{ "waiting": { "reason": "ErrImagePull" } }]))[2],
            "Init:ErrImagePull"
        );
        assert_eq!(
            with(json!([{ "waiting": { "reason": "PodInitializing" } }]))[2],
            "Init:0/2"
        );
        assert_eq!(with(json!([done, done]))[2..4], ["Pending", "0"]);
    }

    #[test]
    fn a_sidecar_counts_as_a_container() {
        let spec = json!({ "initContainers": [{ "name": "s", "restartPolicy": "Always" }], "containers": [{ "name": "a" }] });
        let status = json!({
            "phase": "Running",
            "initContainerStatuses": [{ "name": "s", "ready": true, "started": true, "restartCount": 1, "state": { "running": {} } }],
            "containerStatuses": [{ "name": "a", "ready": true, "state": { "running": {} } }],
        });
        assert_eq!(pod(spec, status)[1..4], ["2/2", "Running", "1"]);
    }

    #[test]
    fn deletion_and_gates_are_said() {
        let terminating = |phase: &str, reason: &str| {
            row(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": phase, "reason": reason } }))[2].clone()
        };
        assert_eq!(terminating("Running", ""), "Terminating");
        assert_eq!(terminating("Succeeded", ""), "Succeeded");
        assert_eq!(terminating("Running", "NodeLost"), "Unknown");
        let gated = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "SchedulingGated" }] });
        assert_eq!(pod(json!({}), gated)[2], "SchedulingGated");
    }
}
