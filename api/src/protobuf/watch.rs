//! Events of a watch: each behind its length in four bytes, the high one first
//! (`apimachinery/pkg/util/framer`), as `meta.WatchEvent` { type = 1, object = 2 } whose object is a
//! `runtime.RawExtension` { raw = 1 } of a whole body.

use super::wire_out as wire;

/// Appends an event of an object that [`super::encode`] has written.
pub fn event(out: &mut Vec<u8>, name: &str, object: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    wire::bytes(out, 1, name.as_bytes());
    let mut raw = Vec::with_capacity(object.len() + 8);
    wire::bytes(&mut raw, 1, object);
    wire::bytes(out, 2, &raw);
    // Objects are bounded far below what four bytes count.
    let size = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&size.to_be_bytes());
}
