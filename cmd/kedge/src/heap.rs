//! The heap: jemalloc, in which each thread keeps some of what it frees for itself and asks no other thread for leave
//! (`docs/performance.md`).
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use tikv_jemalloc_sys::mallctl;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// jemalloc's options, in the form of jemalloc(3), "TUNING": read before `main` by that name.
///
/// Two arenas: one for each worker that answers requests. Pages that are no longer used go back to the kernel at once; a server, which
/// has work that comes again, asks for more ([`keep_pages`]). Blocks of 5 to 14 KiB, in which requests and records are read
/// and written, stand in slabs of 32 KiB and not in one each: 0.9 calls to give pages back for a create instead of 1.4. A thread keeps few
/// blocks of a size: 2 MB less with 10,000 Services. It keeps some of up to 32 KiB nevertheless: without, each record of TLS is taken
/// from the kernel anew.
// SAFETY: jemalloc declares `const char *malloc_conf` under this name and prefix, and reads a string that ends with a zero.
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Option<&'static std::ffi::c_char> = Some(first(
    c"narenas:2,dirty_decay_ms:0,slab_sizes:4097-14336:8,tcache_nslots_small_max:20,tcache_nslots_large:2",
));

/// Milliseconds for which a page that nothing uses waits for its next use, where a server has work: a create costs a sixth less. jemalloc
/// looks at the time only while something is allocated, so that somebody must call [`give_pages_back`] when the work is over.
const KEEP: isize = 100;

/// From now on pages wait a little before they go back to the kernel.
pub fn keep_pages() {
    // The arenas that there are, and what later ones begin with.
    for name in [
        c"arena.0.dirty_decay_ms",
        c"arena.1.dirty_decay_ms",
        c"arenas.dirty_decay_ms",
    ] {
        let mut keep = KEEP;
        // SAFETY: jemalloc reads an `ssize_t` under these names, which `keep` is, and knows an arena that is not there.
        let _ = unsafe {
            let new: *mut isize = &mut keep;
            control(name, new.cast::<c_void>(), size_of::<isize>())
        };
    }
}

/// Gives the kernel every page that nothing uses.
pub fn give_pages_back() {
    // SAFETY: this neither reads nor writes; 4096 stands for all arenas (`MALLCTL_ARENAS_ALL`).
    let _ = unsafe { control(c"arena.4096.purge", null_mut(), 0) };
}

/// mallctl(3), which tells nothing here. What fails leaves the heap as it was.
///
/// # Safety
/// `new` points to `len` octets of the type that jemalloc has under that name, or is null.
unsafe fn control(name: &CStr, new: *mut c_void, len: usize) -> i32 {
    // SAFETY: the name ends with a zero; nothing is read; the caller answers for the rest.
    unsafe { mallctl(name.as_ptr(), null_mut(), null_mut(), new, len) }
}

/// Where a string of C begins.
const fn first(text: &'static std::ffi::CStr) -> &'static std::ffi::c_char {
    // SAFETY: a C string has at least its zero, and lives as long as the program.
    unsafe { &*text.as_ptr() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of this process that are in memory.
    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size()
    }

    #[test]
    fn pages_go_back() {
        const BLOCK: usize = 64 << 10;
        const BLOCKS: usize = 1024;
        keep_pages();
        let blocks: Vec<_> = (0..BLOCKS).map(|_| vec![1_u8; BLOCK]).collect();
        let held = resident();
        drop(blocks);
        give_pages_back();
        // What other tests hold meanwhile is far less.
        let left = resident();
        assert!(
            left + BLOCK * BLOCKS / 2 < held,
            "{held} before, {left} after"
        );
    }
}
