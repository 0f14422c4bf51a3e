//! Kinds of `storage.k8s.io`, as data: who provides volumes reads them here.

mod csi_driver;
mod csi_node;
mod storage_class;

pub(super) use csi_driver::CsiDriver;
pub(super) use csi_node::CsiNode;
pub(super) use storage_class::StorageClass;

use kedge_machinery::FieldError;

use crate::check;

/// Characters of a CSI driver's name.
const MAX_DRIVER_NAME: usize = 63;

/// A CSI driver's name (`ValidateCSIDriverName`).
fn driver_name(path: &str, name: &str) -> Vec<FieldError> {
    use kedge_machinery::status::FieldErrorKind;

    if name.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = Vec::new();
    if name.len() > MAX_DRIVER_NAME {
        let detail = format!("may not be more than {MAX_DRIVER_NAME} bytes");
        errors.push(FieldError::new(FieldErrorKind::TooLong, path, None, detail));
    }
    errors.extend(
        check::subdomain(path, &name.to_lowercase())
            .into_iter()
            .map(|error| FieldError {
                value: Some(name.into()),
                ..error
            }),
    );
    errors
}
