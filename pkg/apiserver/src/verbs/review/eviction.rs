//! How an Eviction wants its Pod to be deleted (upstream: `propagateDryRun`).

use kedge_machinery::{Object, Status};
use kedge_registry::{DeleteOptions, Question};
use serde_json::{Value, json};

use crate::options;

/// The one body that is taken in an older version too, which no group serves any more (upstream: `AcceptsGroupVersion`).
pub(super) fn as_served(eviction: &mut Object) {
    if eviction.at(&["apiVersion"]).and_then(Value::as_str) == Some("policy/v1beta1") {
        eviction.0.insert("apiVersion".into(), "policy/v1".into());
    }
}

/// The options of the deletion. It is a trial when the request is one or when these options say so; 500 when both say something, and not the same.
pub(super) fn options(question: &Question) -> Result<DeleteOptions, Status> {
    let given = question.object.at(&["deleteOptions"]).cloned();
    let given = Object::from_value(given.unwrap_or_else(|| json!({}))).unwrap_or_default();
    let trials = given.at(&["dryRun"]).and_then(Value::as_array);
    let trials: Vec<&str> = trials
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if question.dry_run && !trials.is_empty() && trials != ["All"] {
        let why = format!(
            "Non-matching dry-run options in request and content: [All] and [{}]",
            trials.join(" ")
        );
        return Err(Status::new(500, "", why));
    }
    let (mut options, _) = options::delete("", Some(&given))?;
    options.dry_run |= question.dry_run;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn asked(delete: Value, dry_run: bool) -> Result<DeleteOptions, Status> {
        options(&Question {
            object: Object::from_value(json!({"deleteOptions": delete})).unwrap(),
            warnings: Vec::new(),
            dry_run,
        })
    }

    #[rstest]
    #[case(json!(null), false, Ok(false))]
    #[case(json!(null), true, Ok(true))]
    #[case(json!({"dryRun": ["All"]}), false, Ok(true))]
    #[case(json!({"dryRun": ["All"]}), true, Ok(true))]
    #[case(json!({"dryRun": ["All", "All"]}), true, Err("Non-matching dry-run options in request and content: [All] and [All All]"))]
    fn a_trial(#[case] delete: Value, #[case] dry_run: bool, #[case] expected: Result<bool, &str>) {
        let found = asked(delete, dry_run).map(|options| options.dry_run);
        assert_eq!(
            found.map_err(|status| status.message),
            expected.map_err(String::from)
        );
    }

    #[test]
    fn the_rest_is_as_of_a_deletion() {
        let delete =
            json!({"gracePeriodSeconds": 0, "preconditions": {"uid": "u", "resourceVersion": "7"}});
        let options = asked(delete, false).unwrap();
        assert_eq!(options.grace_period, Some(0));
        assert_eq!(options.uid.as_deref(), Some("u"));
        assert_eq!(options.resource_version.as_deref(), Some("7"));
        let wrong = asked(json!({"propagationPolicy": "Sideways"}), false).unwrap_err();
        assert_eq!(wrong.code, 422);
    }
}
