//! Services.

mod allocate;
mod defaults;
mod families;
pub(crate) mod spec;
mod update;
mod validate;
mod warnings;

use std::collections::BTreeSet;

use kedge_machinery::{FieldError, Object, Status};
use serde_json::json;

use super::Strategy;
use crate::allocate::{Claim, Environment, claims::claims};

pub(super) struct Service;

impl Strategy for Service {
    fn default(&self, object: &mut Object) {
        defaults::apply(object);
    }

    fn allocate(
        &self,
        new: &mut Object,
        old: Option<&Object>,
        world: &Environment<'_>,
    ) -> Result<(), Status> {
        if let Some(old) = old {
            update::keep_allocated(new, old);
        }
        update::normalize_cluster_ips(new, old);
        let errors = families::settle(new, old, &world.pools.families());
        if !errors.is_empty() {
            return Err(Status::invalid("", "Service", new.name(), &errors));
        }
        allocate::fill(new, old, world)
    }

    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({"loadBalancer": {}}));
        update::drop_internal_policy(new);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if subresource.is_empty() {
            update::drop_type_dependent(new, old);
            update::drop_internal_policy(new);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::service(object)
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return validate::status(new, old);
        }
        let mut errors = validate::change(new, old);
        errors.extend(validate::service(new));
        errors
    }

    /// The Endpoints of its name: the next Service of that name must not begin with its addresses.
    fn companions(&self, object: &Object) -> Vec<String> {
        vec![format!(
            "{}{}/{}",
            crate::keys::resource("", "endpoints"),
            object.namespace(),
            object.name()
        )]
    }

    fn claims(&self, object: &Object) -> BTreeSet<Claim> {
        claims(object)
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        warnings::service(new)
    }

    fn status_warnings(&self, new: &Object) -> Vec<String> {
        warnings::status(new)
    }
}
