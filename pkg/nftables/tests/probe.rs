//! Finding out what the kernel can do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::in_namespace;
use kedge_nftables::{Socket, probe};

#[test]
fn this_kernel_is_tried_without_a_trace() {
    in_namespace(|| {
        let mut socket = Socket::open().unwrap();
        let before = socket.generation().unwrap().id;
        let missing = probe::missing(&probe::FEATURES).unwrap();
        for missing in &missing {
            println!("missing: {} ({})", missing.feature, missing.source);
        }
        // What every kernel since 5.15 has that can run the other tests of this crate.
        let newer = [probe::Feature::Destroy];
        assert!(
            missing.iter().all(|m| newer.contains(&m.feature)),
            "{missing:?}"
        );
        assert_eq!(socket.generation().unwrap().id, before);
        assert!(socket.tables().unwrap().is_empty());
    });
}
