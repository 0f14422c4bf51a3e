//! The subresource `eviction` of Pods: a deletion that PodDisruptionBudgets have a say in (upstream: `EvictionREST`).
//!
//! Upstream writes thrice: the budget, the Pod's condition, the deletion. Here they are one transaction, so that no budget pays
//! for a Pod that stays.

mod budget;

use std::sync::Arc;

use jiff::Timestamp;
use kedge_machinery::{Object, Status};
use kedge_store::Transaction;

use super::commit::{Outcome, Step, transaction};
use super::delete::check_preconditions;
use super::deletion::{self, Plan};
use super::{ATTEMPTS, lifecycle, metadata};
use crate::admission::{Attributes, Operation};
use crate::condition;
use crate::registry::{MODIFIED, Registry};
use crate::request::{DeleteOptions, Target, WriteOptions};
use crate::stored;
use crate::value::{field, text};

/// Who owns what evictions write of budgets: upstream's handler is a client of its own server.
const MANAGER: &str = "kube-apiserver";

impl Registry {
    /// POST of an Eviction to the subresource that `target` names. 404 without the Pod, 429 while its budget allows no disruption,
    /// 500 when more than one budget selects it, 409 when a precondition does not hold.
    pub async fn evict(
        &self,
        target: &Target,
        mut eviction: Object,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        metadata::agree_on_namespace(target, &mut eviction)?;
        if eviction.name() != target.name {
            return Err(Status::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let pod = target.clone().subresource("");
        for _ in 0..ATTEMPTS {
            let now = Timestamp::now();
            let snapshot = self.store().snapshot();
            lifecycle::admit(target, &snapshot)?;
            let entry = snapshot.get(&pod.key()).ok_or_else(|| pod.not_found())?;
            let old = stored::read(&pod.kind, &entry)?;
            let attributes = Attributes {
                operation: Operation::Create,
                target,
                user: options.user.as_deref(),
                old: Some(&old),
                dry_run: options.dry_run,
                view: self.view(&snapshot),
            };
            self.admit_change(&attributes, &mut eviction)?;
            self.admit(&attributes, Some(&eviction))?;
            let charged = match disrupts_nothing(&old) {
                true => None,
                false => self.charged(&old, &attributes, now)?,
            };
            check_preconditions(&pod, &old, options)?;
            if options.dry_run {
                return Ok(());
            }
            let mut new = old.clone();
            let (reason, message) = ("EvictionByEvictionAPI", "Eviction API: evicting");
            condition::set_on_pod(&mut new, "DisruptionTarget", reason, message, now);
            let step = match deletion::plan(&pod, &new, options, now)? {
                Plan::Remove(last) => Step::Delete(entry.revision, &old, last),
                Plan::Mark(marked) => Step::Update(entry.revision, &old, marked),
                Plan::Wait if metadata::is_same(&new, &old) => return Ok(()),
                Plan::Wait => Step::Update(entry.revision, &old, new),
            };
            let mut transaction = transaction(&pod, step, &snapshot, now)?;
            if let Some(charged) = charged {
                transaction.conditions.extend(charged.conditions);
                transaction.writes.extend(charged.writes);
            }
            if let Outcome::Done(_) = self.commit(transaction, false).await? {
                return Ok(());
            }
        }
        Err(pod.conflict(MODIFIED))
    }

    /// What the eviction of a Pod makes of its budget; nothing where there is none, or where the Pod is not what it counts.
    fn charged(
        &self,
        pod: &Object,
        attributes: &Attributes<'_>,
        now: Timestamp,
    ) -> Result<Option<Transaction>, Status> {
        let budgets = attributes
            .view
            .objects("policy", "poddisruptionbudgets", pod.namespace())?;
        let Some(old) = budget::of(pod, &budgets)? else {
            return Ok(None);
        };
        let Some(mut new) = budget::charge(old, pod, now)? else {
            return Ok(None);
        };
        let target = self.budget_target(old)?;
        let options = WriteOptions {
            field_manager: MANAGER.into(),
            ..WriteOptions::default()
        };
        self.own(&target, Some(old), &mut new, &options, false, now);
        let snapshot = attributes.view.snapshot;
        let entry = snapshot.get(&target.key());
        let entry = entry.ok_or_else(|| target.not_found())?;
        let step = Step::Update(entry.revision, old, new);
        transaction(&target, step, snapshot, now).map(Some)
    }

    fn budget_target(&self, budget: &Object) -> Result<Target, Status> {
        let kind = self
            .inner
            .builtin
            .find("policy", "v1", "poddisruptionbudgets");
        let kind = kind.ok_or_else(|| Status::internal("the catalog has no budgets"))?;
        let target = Target::new(Arc::clone(kind), budget.namespace(), budget.name());
        Ok(target.subresource("status"))
    }
}

/// A Pod that has ended, is going or never ran is missed by nobody.
fn disrupts_nothing(pod: &Object) -> bool {
    let phase = text(field(&pod.0, "status"), "phase");
    pod.is_terminating() || matches!(phase, "Failed" | "Pending" | "Succeeded")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({"status": {"phase": "Running"}}), false)]
    #[case(json!({"status": {}}), false)]
    #[case(json!({"status": {"phase": "Pending"}}), true)]
    #[case(json!({"status": {"phase": "Succeeded"}}), true)]
    #[case(json!({"status": {"phase": "Failed"}}), true)]
    #[case(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}}), true)]
    fn budgets_are_asked_of_what_runs(#[case] pod: Value, #[case] expected: bool) {
        assert_eq!(
            disrupts_nothing(&Object::from_value(pod).unwrap()),
            expected
        );
    }
}
