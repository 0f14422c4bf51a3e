//! PUT and PATCH: from what stands there to what the client wants, begun again when others are faster.

use jiff::Timestamp;
use kedge_machinery::{FieldError, Object, Status};

use super::commit::{Outcome, Step, transaction};
use super::decode::Decoded;
use super::{ATTEMPTS, SCALE, finish, metadata};
use crate::read::revision;
use crate::registry::{MODIFIED, Registry};
use crate::request::{Patch, PatchKind, Target, WriteOptions, Written};
use crate::stored;

/// What the client wants of an object.
pub(super) enum Change {
    Put(Decoded),
    Patch(Patch),
}

impl Registry {
    /// PUT. 409 `Conflict` when the object carries a resource version that is not the latest; without
    /// one, the latest is replaced.
    pub async fn update(
        &self,
        target: &Target,
        object: Object,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let mut decoded = self.decode(target, object, options)?;
        metadata::agree_on_namespace(target, &mut decoded.object)?;
        metadata::agree_on_name(target, &decoded.object)?;
        self.change(target, Change::Put(decoded), options).await
    }

    /// PATCH. 422 or 400 for a patch that cannot be applied, 409 for one that names an older
    /// resource version and for an apply that conflicts with other managers.
    pub async fn patch(
        &self,
        target: &Target,
        patch: Patch,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        self.change(target, Change::Patch(patch), options).await
    }

    pub(super) async fn change(
        &self,
        target: &Target,
        change: Change,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let subresource = &target.subresource;
        if !subresource.is_empty() && target.kind.subresource(subresource).is_none() {
            return Err(Status::no_such_resource());
        }
        for _ in 0..ATTEMPTS {
            let now = Timestamp::now();
            let snapshot = self.store().snapshot();
            let Some(entry) = snapshot.get(&target.key()) else {
                return self.change_absent(target, change, options, now).await;
            };
            let old = stored::read(&target.kind, &entry)?;
            let Decoded {
                object: mut new,
                mut warnings,
                applied,
            } = match &change {
                change if *subresource == SCALE => {
                    self.scaled(target, change, &old, options, now)?
                }
                Change::Put(decoded) => decoded.clone(),
                Change::Patch(patch) => self.patched(target, patch, &old, options, now)?,
            };
            if *subresource == SCALE || matches!(change, Change::Put(_)) {
                check_uid(target, &new, &old)?;
            }
            check_version(target, &new, &old)?;
            metadata::keep(&mut new, &old);
            self.own(target, Some(&old), &mut new, options, applied, now);
            warnings.extend(self.finish_update(target, &mut new, &old, &snapshot, options)?);
            let ends = finish::ends(target, &new, &old);
            if !ends && metadata::is_same(&new, &old) {
                return Ok(Written {
                    value: stored::value(&target.kind, &entry),
                    created: false,
                    warnings,
                });
            }
            if options.dry_run {
                return Ok(Written {
                    value: finish::bytes(new),
                    created: false,
                    warnings,
                });
            }
            let step = if ends {
                Step::Delete(entry.revision, &old, new)
            } else {
                Step::Update(entry.revision, &old, new)
            };
            if let Outcome::Done(entry) = self
                .commit(transaction(target, step, &snapshot, now)?, false)
                .await?
            {
                return Ok(Written {
                    value: stored::value(&target.kind, &entry),
                    created: false,
                    warnings,
                });
            }
        }
        Err(target.conflict(MODIFIED))
    }

    /// What a change does where nothing stands: an apply makes the object, as does a PUT of some kinds.
    async fn change_absent(
        &self,
        target: &Target,
        change: Change,
        options: &WriteOptions,
        now: Timestamp,
    ) -> Result<Written, Status> {
        let mut decoded = match change {
            Change::Put(decoded) if target.rules().create_on_update => decoded,
            Change::Patch(patch) if patch.kind == PatchKind::Apply => {
                self.applied(target, &patch, None, options, now)?
            }
            _ => return Err(target.not_found()),
        };
        if !target.subresource.is_empty() {
            return Err(target.not_found());
        }
        let uid = decoded.object.uid();
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(target.conflict(&why));
        }
        version(&decoded.object)?;
        decoded.object.meta_mut().remove("resourceVersion");
        self.create_decoded(target, decoded, options).await
    }
}

/// A PUT is of the object that it names, and so is a Scale. A patch of another one is refused as any change of what cannot change.
fn check_uid(target: &Target, new: &Object, old: &Object) -> Result<(), Status> {
    let (asked, found) = (new.uid(), old.uid());
    if asked.is_empty() || asked == found {
        return Ok(());
    }
    Err(target.precondition_failed("UID", asked, found))
}

/// The version that the client knows must be the latest; some kinds are updated only by who knows it.
fn check_version(target: &Target, new: &Object, old: &Object) -> Result<(), Status> {
    match version(new)? {
        0 if target.rules().unconditional_update => Ok(()),
        0 => {
            let why = "must be specified for an update";
            let error = FieldError::invalid("metadata.resourceVersion", 0, why);
            // Upstream names the resource here, not the kind.
            let (group, plural) = (&target.kind.group, &target.kind.plural);
            Err(Status::invalid(group, plural, &target.name, &[error]))
        }
        known if known == version(old)? => Ok(()),
        _ => Err(target.conflict(MODIFIED)),
    }
}

/// The version that an object carries, 0 for none. Upstream has no status of its own for a text that is no number: 500 without a reason.
fn version(object: &Object) -> Result<u64, Status> {
    revision::number(object.resource_version()).map_err(|why| Status::new(500, "", why))
}
