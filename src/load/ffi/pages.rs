//! Huge pages for what a long load makes, where the kernel gives them to those who ask.
//!
//! A million small objects are 10,000 pages, and the kernel hands out each when it is first touched: 20 to 40 % of the
//! time of a long load. The interpreter asks for its memory in arenas of 1 MiB, which are too small for a huge page each;
//! two of them in one block of 2 MiB are not, and cost a quarter of that (1.2 to 1.5 times as fast on floats, text, tuples
//! and records). So while nothing but the loader's own code runs, new arenas come from such blocks. They are given back
//! by whoever frees them, by the interpreter's own `munmap`.
//!
//! Linux alone, and only where arenas are the interpreter's own: one that somebody else hands out is left to them.

use pyo3::prelude::*;

/// Bytes of a single object that is worth huge pages of its own, as numpy's arrays are.
pub const LARGE: usize = 4 << 20;

#[cfg(all(target_os = "linux", target_pointer_width = "64", not(Py_GIL_DISABLED)))]
mod linux {
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::ptr;

    use pyo3::ffi::{self, PyObjectArenaAllocator};
    use pyo3::prelude::*;

    use super::super::late::Late;

    /// What the interpreter asks for at a time.
    const ARENA: usize = 1 << 20;
    /// What the kernel gives at a time.
    const BLOCK: usize = 2 * ARENA;
    const FRESH: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    const WRITABLE: c_int = libc::PROT_READ | libc::PROT_WRITE;
    /// Whether there are huge pages to be had, and for whom.
    const POLICY: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

    /// Who hands out arenas, of a size, with a context of their own.
    type Alloc = extern "C" fn(context: *mut c_void, size: usize) -> *mut c_void;

    /// Where arenas come from, and what is left of the last block.
    struct Source {
        /// The interpreter's own.
        theirs: PyObjectArenaAllocator,
        /// The second half of the last block, or null.
        half: Cell<*mut c_void>,
        /// The last block: the next one is asked for right below it.
        last: Cell<*mut c_void>,
    }

    static SOURCE: Late<Source> = Late::new();

    /// An arena from a block of huge pages, or what the interpreter itself would give.
    extern "C" fn arena(context: *mut c_void, size: usize) -> *mut c_void {
        // Whatever has closed the ways meanwhile.
        let Some(source) = SOURCE.found() else {
            return ptr::null_mut();
        };
        if size == ARENA {
            let half = source.half.replace(ptr::null_mut());
            if !half.is_null() {
                return half;
            }
            let block = block(source.last.get());
            if !block.is_null() {
                source.last.set(block);
                source.half.set(block.wrapping_byte_add(ARENA));
                return block;
            }
        }
        match source.theirs.alloc {
            Some(alloc) => alloc(context, size),
            None => ptr::null_mut(),
        }
    }

    /// 2 MiB of huge pages, right below `last` where there is room; null where there is none anywhere.
    fn block(last: *mut c_void) -> *mut c_void {
        let below = last.wrapping_byte_sub(if last.is_null() { 0 } else { BLOCK });
        let mut block = map(below, BLOCK);
        if block.is_null() {
            return block;
        }
        if !block.addr().is_multiple_of(BLOCK) {
            unmap(block, BLOCK);
            block = aligned();
        }
        advise(block, BLOCK);
        block
    }

    /// 2 MiB on a boundary of 2 MiB: twice as much, with both ends given back.
    fn aligned() -> *mut c_void {
        let wide = map(ptr::null_mut(), 2 * BLOCK);
        if wide.is_null() {
            return wide;
        }
        let before = wide.addr().next_multiple_of(BLOCK) - wide.addr();
        let block = wide.wrapping_byte_add(before);
        unmap(wide, before);
        unmap(block.wrapping_byte_add(BLOCK), BLOCK - before);
        block
    }

    fn map(near: *mut c_void, bytes: usize) -> *mut c_void {
        // SAFETY: fresh memory; an address is a wish and takes nothing away from anybody.
        let place = unsafe { libc::mmap(near, bytes, WRITABLE, FRESH, -1, 0) };
        if place == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        place
    }

    fn unmap(place: *mut c_void, bytes: usize) {
        if bytes > 0 {
            // SAFETY: called for memory that `map` gave and nobody has seen.
            unsafe { libc::munmap(place, bytes) };
        }
    }

    /// Asks for huge pages. A kernel that has none says so, and nothing is lost.
    fn advise(place: *mut c_void, bytes: usize) {
        // SAFETY: advice changes no contents; the callers own the memory.
        unsafe { libc::madvise(place, bytes, libc::MADV_HUGEPAGE) };
    }

    fn current() -> PyObjectArenaAllocator {
        let mut allocator = PyObjectArenaAllocator {
            ctx: ptr::null_mut(),
            alloc: None,
            free: None,
        };
        // SAFETY: attached, as all callers are; room for what is copied out.
        unsafe { ffi::PyObject_GetArenaAllocator(&raw mut allocator) };
        allocator
    }

    /// Has the interpreter ask somebody else for arenas; what it gives them back to stays.
    fn install(source: &Source, alloc: Option<Alloc>) {
        let mut allocator = PyObjectArenaAllocator {
            alloc,
            ..source.theirs
        };
        // SAFETY: attached; what is read is copied.
        unsafe { ffi::PyObject_SetArenaAllocator(&raw mut allocator) };
    }

    fn same(one: Option<Alloc>, other: Option<Alloc>) -> bool {
        one.map(|f| f as usize) == other.map(|f| f as usize)
    }

    /// Has new arenas come from huge pages; false where they do so already, or where it cannot be.
    pub fn take() -> bool {
        let Some(source) = SOURCE.get() else {
            return false;
        };
        let possible = same(current().alloc, source.theirs.alloc);
        if possible {
            install(source, Some(arena));
        }
        possible
    }

    /// Takes that back, unless somebody has set something else meanwhile.
    pub fn give_back() {
        if let Some(source) = SOURCE.found()
            && same(current().alloc, Some(arena))
        {
            install(source, source.theirs.alloc);
        }
    }

    /// Finds out, once, whether arenas are the interpreter's own and the kernel has huge pages.
    pub fn learn(py: Python<'_>) -> PyResult<bool> {
        SOURCE.learn(py, || {
            let theirs = current();
            Ok(
                (gives_huge_pages() && is_interpreters(&theirs)).then(|| Source {
                    theirs,
                    half: Cell::new(ptr::null_mut()),
                    last: Cell::new(ptr::null_mut()),
                }),
            )
        })
    }

    fn gives_huge_pages() -> bool {
        std::fs::read_to_string(POLICY).is_ok_and(|policy| !policy.contains("[never]"))
    }

    /// Whether arenas are made and freed by the interpreter itself, and freed by `munmap`: one of ours is, for a try.
    fn is_interpreters(theirs: &PyObjectArenaAllocator) -> bool {
        let (Some(alloc), Some(free)) = (theirs.alloc, theirs.free) else {
            return false;
        };
        let home = object_of(ffi::PyObject_GetArenaAllocator as *const c_void);
        if home.is_null()
            || !theirs.ctx.is_null()
            || object_of(alloc as *const c_void) != home
            || object_of(free as *const c_void) != home
        {
            return false;
        }
        let block = block(ptr::null_mut());
        if block.is_null() {
            return false;
        }
        let half = block.wrapping_byte_add(ARENA);
        free(theirs.ctx, half, ARENA);
        let freed = !is_mapped(half) && is_mapped(block);
        unmap(block, ARENA);
        freed
    }

    /// Where the library or program is loaded that a function is part of, or null.
    fn object_of(function: *const c_void) -> *mut c_void {
        let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY: any address may be asked about; there is room for the answer.
        if unsafe { libc::dladdr(function, found.as_mut_ptr()) } == 0 {
            return ptr::null_mut();
        }
        // SAFETY: written, and of integers and pointers alone.
        unsafe { found.assume_init() }.dli_fbase
    }

    /// Whether there is memory at an address of a page.
    fn is_mapped(page: *mut c_void) -> bool {
        let mut present = 0u8;
        // SAFETY: any page may be asked about; there is room for the answer about one.
        unsafe { libc::mincore(page, 1, &raw mut present) == 0 }
    }

    /// Asks for huge pages for a large object's memory, which nobody has touched yet.
    pub fn advise_large(start: *mut u8, bytes: usize) {
        if SOURCE.get().is_some() {
            let first = start.addr().next_multiple_of(BLOCK) - start.addr();
            if first < bytes {
                advise(start.wrapping_add(first).cast(), bytes - first);
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(Py_GIL_DISABLED))))]
mod linux {
    //! Nothing of the kind.

    use pyo3::prelude::*;

    pub fn take() -> bool {
        false
    }

    pub fn give_back() {}

    pub fn learn(_py: Python<'_>) -> PyResult<bool> {
        Ok(false)
    }

    pub fn advise_large(_start: *mut u8, _bytes: usize) {}
}

/// Whether there are huge pages to be had; found out when first asked.
pub fn learn_pages(py: Python<'_>) -> PyResult<bool> {
    linux::learn(py)
}

/// Whether a load has arenas come from huge pages.
#[derive(Debug, Default)]
pub struct Arenas {
    taken: bool,
}

impl Arenas {
    /// Has them come from there, where that can be.
    pub fn take(&mut self, py: Python<'_>) {
        self.taken = self.taken || (linux::learn(py).is_ok_and(|open| open) && linux::take());
    }

    /// Leaves them to the interpreter again, if this load had taken them; returns whether it had.
    #[inline]
    pub fn give_back(&mut self) -> bool {
        if self.taken {
            linux::give_back();
        }
        std::mem::take(&mut self.taken)
    }
}

impl Drop for Arenas {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Asks for huge pages for a new object of `bytes`, before they are written.
#[inline]
pub(super) fn advise_large(start: *mut u8, bytes: usize) {
    if bytes >= LARGE {
        linux::advise_large(start, bytes);
    }
}
