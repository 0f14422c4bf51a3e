//! POST, and every other write that finds nothing there.

use jiff::Timestamp;
use kedge_machinery::{Object, Status};

use super::commit::{Outcome, Step, transaction};
use super::decode::Decoded;
use super::{ATTEMPTS, finish, lifecycle, metadata};
use crate::registry::{MODIFIED, Registry};
use crate::request::{Target, WriteOptions, Written};
use crate::stored;

/// How often another name is made for an object that gives only the beginning of one.
const NAMES: usize = 8;

impl Registry {
    /// POST. 404 for a missing namespace, 409 `AlreadyExists`, 422 with the fields that are wrong.
    pub async fn create(
        &self,
        target: &Target,
        object: Object,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let mut decoded = self.decode(target, object, options)?;
        metadata::agree_on_namespace(target, &mut decoded.object)?;
        if !target.name.is_empty() {
            metadata::fill_name(target, &mut decoded.object);
            metadata::agree_on_name(target, &decoded.object)?;
        }
        // What is no version at all is passed over, as upstream's store does.
        let version = decoded.object.resource_version().parse::<u64>();
        if version.is_ok_and(|version| version != 0) {
            return Err(Status::new(
                500,
                "",
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.create_decoded(target, decoded, options).await
    }

    /// Makes an object that was decoded, or that an apply made.
    pub(super) async fn create_decoded(
        &self,
        target: &Target,
        decoded: Decoded,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let Decoded {
            object,
            warnings,
            applied,
        } = decoded;
        let mut names = NAMES;
        for _ in 0..ATTEMPTS {
            let now = Timestamp::now();
            let snapshot = self.store().snapshot();
            let mut new = object.clone();
            metadata::begin(&mut new, target.rules(), now);
            let named = Target {
                name: new.name().to_string(),
                ..target.clone()
            };
            let admitted = lifecycle::admit(&named, &snapshot)?;
            self.own(&named, None, &mut new, options, applied, now);
            let said = self.finish_create(&named, &mut new, &snapshot, options)?;
            let warnings = [warnings.as_slice(), &said].concat();
            let outcome = if snapshot.get(&named.key()).is_some() {
                Outcome::Exists
            } else if options.dry_run {
                return Ok(Written {
                    value: finish::bytes(new),
                    created: true,
                    warnings,
                });
            } else {
                let mut transaction = transaction(&named, Step::Create(new), &snapshot, now)?;
                transaction.conditions.extend(admitted);
                self.commit(transaction, true).await?
            };
            match outcome {
                Outcome::Done(entry) => {
                    return Ok(Written {
                        value: stored::value(&target.kind, &entry),
                        created: true,
                        warnings,
                    });
                }
                Outcome::Exists => {
                    names -= 1;
                    if names == 0 || !object.name().is_empty() {
                        let exists = match object.meta_text("generateName") {
                            "" => Status::already_exists,
                            // Upstream says so of a name that was given beside it too.
                            _ => Status::name_not_unique,
                        };
                        let kind = &target.kind;
                        let mut status = exists(&kind.group, &kind.plural, &named.name);
                        let there = self.store().snapshot().get(&named.key());
                        if there.is_some_and(|entry| lifecycle::is_going(&entry)) {
                            status.message.insert_str(0, "object is being deleted: ");
                        }
                        return Err(status);
                    }
                }
                Outcome::Raced => {}
            }
        }
        Err(target.conflict(MODIFIED))
    }
}
