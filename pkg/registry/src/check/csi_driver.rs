//! Names of CSI drivers.

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, names};

const MAX_NAME: usize = 63;

/// A CSI driver's name (`ValidateCSIDriverName`).
pub(crate) fn driver_name(path: &str, name: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    if name.len() > MAX_NAME {
        let detail = format!("may not be more than {MAX_NAME} bytes");
        errors.push(FieldError::new(FieldErrorKind::TooLong, path, None, detail));
    }
    let wrong = names::dns1123_subdomain(&name.to_lowercase());
    errors.extend(super::invalid(path, name, wrong));
    errors
}
