//! The heap: jemalloc, in which each thread keeps some of what it frees for itself and asks no other thread for leave
//! (`docs/performance.md`).
#![allow(unsafe_code)]

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use tikv_jemalloc_sys::mallctl;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// jemalloc's options, in the form of jemalloc(3), "TUNING": read before `main` by that name.
///
/// Two arenas: one for each worker that answers requests. Pages that are no longer used are kept for a tenth of a second, for the next
/// who needs some: a write that gives each back at once takes a tenth more of the processor, and to keep them longer makes none
/// faster. A thread keeps few blocks of a size: 2 MB less with 10,000 Services. It keeps some of up to 32 KiB nevertheless: without,
/// each record of TLS is taken from the kernel anew.
// SAFETY: jemalloc declares `const char *malloc_conf` under this name and prefix, and reads a string that ends with a zero.
#[used]
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Option<&'static std::ffi::c_char> = Some(first(
    c"narenas:2,dirty_decay_ms:100,tcache_nslots_small_max:20,tcache_nslots_large:2",
));

/// Where a string of C begins.
const fn first(text: &'static std::ffi::CStr) -> &'static std::ffi::c_char {
    // SAFETY: a C string has at least its zero, and lives as long as the program.
    unsafe { &*text.as_ptr() }
}

/// How long after some work the pages that it left are given back: what works on has them sooner, by the options.
const QUIET: Duration = Duration::from_millis(250);

/// jemalloc looks whether kept pages are due when somebody allocates, so when the work is over it would keep the last ones for good. This
/// gives them back, once, a moment after work; while there is none it waits for no time.
#[derive(Debug, Clone)]
pub struct Sweeper {
    wanted: Arc<AtomicBool>,
    thread: Thread,
}

impl Sweeper {
    /// # Errors
    /// The thread cannot be started.
    pub fn start() -> std::io::Result<Self> {
        Self::with(give_back)
    }

    fn with(sweep: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&wanted);
        let thread = std::thread::Builder::new().name("kedge-heap".into());
        let thread = thread.spawn(move || {
            loop {
                while !asked.load(Ordering::Acquire) {
                    std::thread::park();
                }
                std::thread::sleep(QUIET);
                // Who works from here on asks anew.
                asked.store(false, Ordering::Release);
                sweep();
            }
        })?;
        let thread = thread.thread().clone();
        Ok(Self { wanted, thread })
    }

    /// Some work was done.
    pub fn worked(&self) {
        if !self.wanted.load(Ordering::Relaxed) && !self.wanted.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

/// Gives all pages that no one uses back to the kernel.
fn give_back() {
    /// `MALLCTL_ARENAS_ALL`, jemalloc.h.
    const ALL: &std::ffi::CStr = c"arena.4096.purge";
    // SAFETY: the name ends with a zero; this control reads and writes nothing, for which null pointers stand.
    let failed = unsafe {
        mallctl(
            ALL.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    };
    debug_assert_eq!(failed, 0, "jemalloc knows no {ALL:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    #[test]
    fn pages_that_nobody_uses_are_given_back() {
        let blocks: Vec<Vec<u8>> = (0..512).map(|_| vec![1; 64 << 10]).collect();
        let full = resident();
        drop(blocks);
        give_back();
        let left = resident();
        assert!(
            full.saturating_sub(left) > 24 << 20,
            "{full} bytes were resident, then {left}"
        );
    }

    #[test]
    fn it_sweeps_after_work_and_then_waits_for_more() {
        let (tell, swept) = std::sync::mpsc::channel();
        let sweeper = Sweeper::with(move || tell.send(()).unwrap()).unwrap();
        assert!(swept.try_recv().is_err());
        for _ in 0..2 {
            sweeper.worked();
            swept.recv().unwrap();
            assert!(swept.try_recv().is_err());
        }
    }
}
