//! PUT and PATCH: from what stands there to what the client wants, begun again when others are faster.

use jiff::Timestamp;
use kedge_machinery::{FieldError, Object, Status};

use super::commit::{Outcome, Step, transaction};
use super::decode::Decoded;
use super::{ATTEMPTS, SCALE, finish, metadata};
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
            let is_put = matches!(change, Change::Put(_));
            check_preconditions(target, &new, &old, is_put)?;
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
        decoded.object.meta_mut().remove("resourceVersion");
        self.create_decoded(target, decoded, options).await
    }
}

/// What the client knows of the object must be so. To a patch a uid is no condition, but a field that does not change.
fn check_preconditions(
    target: &Target,
    new: &Object,
    old: &Object,
    is_put: bool,
) -> Result<(), Status> {
    let (uid, version) = (new.uid(), new.resource_version());
    if is_put && !uid.is_empty() && uid != old.uid() {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            old.uid()
        );
        return Err(target.conflict(&why));
    }
    if version.is_empty() || version == "0" {
        if target.rules().unconditional_update {
            return Ok(());
        }
        let error = FieldError::invalid(
            "metadata.resourceVersion",
            0,
            "must be specified for an update",
        );
        return Err(Status::invalid(
            &target.kind.group,
            &target.kind.kind,
            &target.name,
            &[error],
        ));
    }
    if version == old.resource_version() {
        Ok(())
    } else {
        Err(target.conflict(MODIFIED))
    }
}
