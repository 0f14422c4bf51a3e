//! The heap: jemalloc, in which each thread keeps some of what it frees for itself and asks no other thread for leave
//! (`docs/performance.md`).
#![allow(unsafe_code)]

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// jemalloc's options, in the form of jemalloc(3), "TUNING": read before `main` by that name.
///
/// Two arenas: one for each worker that answers requests. Pages that are no longer used go back to the kernel at once: kept for a
/// tenth of a second they make a create faster by a sixth, and 10,000 Services larger by 6 MB; and an idle process would keep the last
/// for good, as nothing runs in it that would notice that the time is over. Blocks of 5 to 14 KiB, in which requests and records are read
/// and written, stand in slabs of 32 KiB and not in one each: 0.9 calls to give pages back for a create instead of 1.4. A thread keeps few
/// blocks of a size: 2 MB less with 10,000 Services. It keeps some of up to 32 KiB nevertheless: without, each record of TLS is taken
/// from the kernel anew.
// SAFETY: jemalloc declares `const char *malloc_conf` under this name and prefix, and reads a string that ends with a zero.
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Option<&'static std::ffi::c_char> = Some(first(
    c"narenas:2,dirty_decay_ms:0,slab_sizes:4097-14336:8,tcache_nslots_small_max:20,tcache_nslots_large:2",
));

/// Where a string of C begins.
const fn first(text: &'static std::ffi::CStr) -> &'static std::ffi::c_char {
    // SAFETY: a C string has at least its zero, and lives as long as the program.
    unsafe { &*text.as_ptr() }
}
