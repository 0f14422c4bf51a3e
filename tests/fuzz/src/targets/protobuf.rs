//! Protobuf bodies: read, written, and read again.

use kedge_api::protobuf;

use super::CATALOG;
use crate::corpus::OBJECTS;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let bodies = OBJECTS
        .iter()
        .filter_map(|object| protobuf::encode(object.to_string().as_bytes()).ok());
    bodies.collect()
}

/// What was read can be written, and is then read as the same.
pub(super) fn run(input: &[u8]) {
    let Ok(object) = protobuf::decode(&CATALOG, input) else {
        return;
    };
    let json = object.clone().into_value().to_string();
    assert!(
        json.len() < 64 * input.len() + 1024,
        "{} bytes out of {}",
        json.len(),
        input.len()
    );
    if object.kind() == "DeleteOptions" {
        return;
    }
    match protobuf::encode(json.as_bytes()) {
        Ok(body) => assert_eq!(protobuf::decode(&CATALOG, &body).as_ref(), Ok(&object)),
        Err(error) => panic!("{error}: {json}"),
    }
}
