//! Columns of `batch`.

use jiff::Timestamp;
use kedge_machinery::Object;
use serde_json::Value;

use super::age::{human_duration, since_text};
use super::apps::{containers, selected};
use super::{AGE, Column, NAME, field, integer, list_at, number_at, or, text, text_at, wide};

const CONTAINERS: Column = wide("Containers", "Names of the containers in the template.");
const IMAGES: Column = wide("Images", "Images of the containers in the template.");
const SELECTOR: Column = wide("Selector", "Labels of the pods that are its own.");

pub(super) const JOB: &[Column] = &[
    NAME,
    text("Status", "How far it has come."),
    text("Completions", "Pods that have succeeded, of those wanted."),
    text("Duration", "How long it has taken."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(super) const CRON_JOB: &[Column] = &[
    NAME,
    text("Schedule", "When it runs, in the words of cron."),
    text("Timezone", "The time zone of the schedule."),
    Column {
        kind: "boolean",
        ..text("Suspend", "Whether it rests.")
    },
    integer("Active", "Jobs of it that run."),
    text("Last Schedule", "Time since it last ran."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// Conditions that name a job's state, the one that counts first; a job that is going comes after the first two.
const ENDED: [&str; 2] = ["Complete", "Failed"];
const UNDER_WAY: [&str; 3] = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];

pub(super) fn job(job: &Object, now: Timestamp, age: Value) -> Vec<Value> {
    let [names, images] = containers(job, &["spec", "template", "spec"]);
    vec![
        job.name().into(),
        state(job).into(),
        completions(job).into(),
        duration(job, now).into(),
        age,
        names,
        images,
        selected(job, &["spec", "selector"]),
    ]
}

fn state(job: &Object) -> &'static str {
    let conditions = list_at(job, &["status", "conditions"]);
    let holds = |name: &&&str| {
        conditions
            .iter()
            .any(|c| field(c, "type") == **name && field(c, "status") == "True")
    };
    let ended = ENDED.iter().find(holds);
    let going = || job.is_terminating().then_some(&"Terminating");
    ended
        .or_else(going)
        .or_else(|| UNDER_WAY.iter().find(holds))
        .unwrap_or(&"Running")
}

fn completions(job: &Object) -> String {
    let done = number_at(job, &["status", "succeeded"]);
    let wanted = job.at(&["spec", "completions"]).and_then(Value::as_i64);
    match (wanted, number_at(job, &["spec", "parallelism"])) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, parallel) if parallel > 1 => format!("{done}/1 of {parallel}"),
        (None, _) => format!("{done}/1"),
    }
}

fn duration(job: &Object, now: Timestamp) -> String {
    let time = |key: &str| text_at(job, &["status", key]).parse::<Timestamp>().ok();
    match (time("startTime"), time("completionTime")) {
        (None, _) => String::new(),
        (Some(start), end) => human_duration(end.unwrap_or(now).duration_since(start).as_secs()),
    }
}

pub(super) fn cron_job(job: &Object, now: Timestamp, age: Value) -> Vec<Value> {
    let [names, images] = containers(job, &["spec", "jobTemplate", "spec", "template", "spec"]);
    let suspended = match job.at(&["spec", "suspend"]).and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = match text_at(job, &["status", "lastScheduleTime"]) {
        "" => "<none>".to_string(),
        time => since_text(time, now),
    };
    vec![
        job.name().into(),
        text_at(job, &["spec", "schedule"]).into(),
        or(text_at(job, &["spec", "timeZone"]), "<none>").into(),
        suspended.into(),
        list_at(job, &["status", "active"]).len().into(),
        last.into(),
        age,
        names,
        images,
        selected(job, &["spec", "jobTemplate", "spec", "selector"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn template() -> Value {
        json!({"spec": {"containers": [{"name": "c", "image": "i"}]}})
    }

    #[rstest]
    #[case(json!({"completions": 2}), json!({}), "Running", "0/2", "")]
    #[case(json!({"parallelism": 3}), json!({"succeeded": 1}), "Running", "1/1 of 3", "")]
    #[case(
        json!({}),
        json!({"succeeded": 1, "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:05Z",
            "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]}),
        "Complete", "1/1", "5s"
    )]
    #[case(json!({}), json!({"startTime": "2026-01-01T00:09:00Z", "conditions": [{"type": "Suspended", "status": "True"}]}), "Suspended", "0/1", "60s")]
    fn a_job(
        #[case] mut spec: Value,
        #[case] status: Value,
        #[case] state: &str,
        #[case] completions: &str,
        #[case] duration: &str,
    ) {
        spec["template"] = template();
        let cells = row(json!({
            "apiVersion": "batch/v1", "kind": "Job", "spec": spec, "status": status,
            "metadata": {"name": "j", "creationTimestamp": "2026-01-01T00:06:40Z"},
        }));
        assert_eq!(
            json!(cells),
            json!([
                "j",
                state,
                completions,
                duration,
                "3m20s",
                "c",
                "i",
                "<none>"
            ])
        );
    }

    #[test]
    fn a_cron_job() {
        let cells = row(json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "spec": {"schedule": "* * * * *", "suspend": false, "jobTemplate": {"spec": {"template": template()}}},
            "status": {"active": [{}], "lastScheduleTime": "2026-01-01T00:09:00Z"},
            "metadata": {"name": "j", "creationTimestamp": "2026-01-01T00:06:40Z"},
        }));
        assert_eq!(
            json!(cells),
            json!([
                "j",
                "* * * * *",
                "<none>",
                "False",
                1,
                "60s",
                "3m20s",
                "c",
                "i",
                "<none>"
            ])
        );
    }
}
