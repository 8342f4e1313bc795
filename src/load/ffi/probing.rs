//! Where a key goes in a dict's table: the slots of the index, probed as `Objects/dictobject.c` does it.
//!
//! Nothing is compared here: a key that has the hash of one that is there already is somebody else's business. Measured
//! and left out: leading sixteen keys to their slots together (half the branch misses, and no faster), and growing great
//! tables here instead of in the interpreter (the same).

use std::ptr;

use pyo3::ffi;

use super::hash::str_hash;
use super::value::{FREE_KEY, Value};

/// What `CPython` 3.11 to 3.15 have in front of the index of a table.
#[repr(C)]
pub(super) struct Keys {
    pub(super) references: isize,
    pub(super) log2_size: u8,
    pub(super) log2_index_bytes: u8,
    pub(super) kind: u8,
    pub(super) version: u32,
    pub(super) usable: isize,
    pub(super) entries: isize,
}

/// The kind of a table whose keys are all str.
pub(super) const ALL_STR: u8 = 1;
/// By how much the rest of a hash is shifted between two probes.
const SHIFT: u32 = 5;
/// Logarithm of the slots from which on a table and its keys are not expected to be in the caches.
const FAR: u8 = 13;
/// Keys whose places are asked for at once.
pub(super) const AHEAD: usize = 16;

/// Inserts pairs behind the entries that a table has.
///
/// # Safety
/// The table has room for them all, nothing was deleted from it, and it is one dict's.
pub(super) unsafe fn insert(table: *mut Keys, pairs: &[Value]) -> usize {
    // SAFETY: the caller's promise.
    let keys = unsafe { &mut *table };
    let count = keys.entries.unsigned_abs();
    #[allow(clippy::multiple_unsafe_ops_per_block)] // one promise for all widths
    // SAFETY: the caller's promise; the width follows from the size.
    let done = unsafe {
        match (keys.log2_size, keys.kind == ALL_STR) {
            (..8, true) => Place::<u8>::of(table).insert::<true>(count, pairs),
            (..8, false) => Place::<u8>::of(table).insert::<false>(count, pairs),
            (..FAR, true) => Place::<u16>::of(table).insert::<true>(count, pairs),
            (..FAR, false) => Place::<u16>::of(table).insert::<false>(count, pairs),
            (..16, true) => Place::<u16>::of(table).insert_far::<true>(count, pairs),
            (..16, false) => Place::<u16>::of(table).insert_far::<false>(count, pairs),
            (_, true) => Place::<u32>::of(table).insert_far::<true>(count, pairs),
            (_, false) => Place::<u32>::of(table).insert_far::<false>(count, pairs),
        }
    };
    keys.usable -= done.cast_signed();
    keys.entries += done.cast_signed();
    keys.version = 0;
    done
}

/// A slot of an index: the number of an entry, or one of two negative numbers.
trait Slot: Copy + PartialEq {
    /// No entry.
    const EMPTY: Self;
    fn of(entry: usize) -> Self;
    fn entry(self) -> usize;
}

macro_rules! slot {
    ($($width:ty),*) => {$(
        impl Slot for $width {
            const EMPTY: Self = <$width>::MAX;
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)] // a table has fewer entries than its slots can say
            fn of(entry: usize) -> Self {
                entry as Self
            }
            #[inline(always)]
            fn entry(self) -> usize {
                self as usize
            }
        }
    )*};
}

slot!(u8, u16, u32);

/// Where the parts of a table are. An entry is a key and a value, behind the key's hash where not all keys are str.
struct Place<I> {
    index: *mut I,
    mask: usize,
    entries: *mut usize,
}

impl<I: Slot> Place<I> {
    /// # Safety
    /// A table whose slots are that wide.
    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // an index takes at least eight bytes, and powers of two
    unsafe fn of(table: *mut Keys) -> Self {
        // SAFETY: the caller's promise.
        let keys = unsafe { &*table };
        // SAFETY: the index follows the header.
        let index = unsafe { table.add(1) }.cast::<u8>();
        // SAFETY: the entries follow the index.
        let entries = unsafe { index.add(1 << (keys.log2_index_bytes & 0x3f)) };
        Self {
            index: index.cast(),
            mask: (1 << (keys.log2_size & 0x3f)) - 1,
            entries: entries.cast(),
        }
    }

    /// Inserts pairs behind the first `count` entries, up to one that must be left to the interpreter, and says how many.
    /// Nothing is taken from the pairs yet.
    ///
    /// # Safety
    /// The table has room for them all, entries without gaps, and no slot of a deleted one.
    #[inline(always)]
    unsafe fn insert<const STR: bool>(&self, count: usize, pairs: &[Value]) -> usize {
        let words = if STR { 2 } else { 3 };
        // SAFETY: there is room behind the entries.
        let mut place = unsafe { self.entries.add(count * words) };
        for (done, pair) in pairs.chunks_exact(2).enumerate() {
            let [key, value] = pair else { return done };
            let Some(hash) = hash_of::<STR>(key) else {
                return done;
            };
            let (mut at, mut rest) = (hash & self.mask, hash);
            loop {
                // SAFETY: within the index, for the mask.
                let slot = unsafe { self.index.add(at) };
                // SAFETY: as above.
                let found = unsafe { slot.read() };
                if found == I::EMPTY {
                    // SAFETY: as above.
                    unsafe { slot.write(I::of(count + done)) };
                    break;
                }
                // SAFETY: what an index says is an entry, without deleted ones.
                let entry = unsafe { self.entries.add(found.entry() * words) };
                // SAFETY: an entry that was written.
                if unsafe { hash_in::<STR>(entry) } == hash {
                    return done;
                }
                rest >>= SHIFT;
                at = at.wrapping_mul(5).wrapping_add(rest + 1) & self.mask;
            }
            let [key, value] = [key, value].map(|each| each.object as usize);
            if STR {
                // SAFETY: there is room for the pairs, and this is the next entry.
                unsafe { place.cast::<[usize; 2]>().write([key, value]) };
            } else {
                // SAFETY: as above.
                unsafe { place.cast::<[usize; 3]>().write([hash, key, value]) };
            }
            // SAFETY: at most behind the last entry.
            place = unsafe { place.add(words) };
        }
        pairs.len() / 2
    }

    /// As [`Place::insert`], into a table that is larger than the caches: what a dozen keys will look at is asked for
    /// before the first of them is inserted.
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn insert_far<const STR: bool>(&self, count: usize, pairs: &[Value]) -> usize {
        let mut all = 0;
        for few in pairs.chunks(2 * AHEAD) {
            // SAFETY: the caller's promise.
            unsafe { self.ask_ahead::<STR>(few) };
            // SAFETY: the caller's promise.
            let done = unsafe { self.insert::<STR>(count + all, few) };
            all += done;
            if 2 * done < few.len() {
                break;
            }
        }
        all
    }

    /// Asks the memory for the slots of keys, then for the entries that those say, then for the keys of these.
    ///
    /// # Safety
    /// As [`Place::insert`].
    #[inline(always)]
    unsafe fn ask_ahead<const STR: bool>(&self, pairs: &[Value]) {
        let mut places = [ptr::null_mut::<usize>(); AHEAD];
        for (place, pair) in places.iter_mut().zip(pairs.chunks_exact(2)) {
            let hash = pair.first().and_then(hash_of::<STR>).unwrap_or_default();
            // SAFETY: within the index, for the mask.
            let slot = unsafe { self.index.add(hash & self.mask) };
            prefetch(slot);
            *place = slot.cast();
        }
        let places = places.get_mut(..pairs.len() / 2).unwrap_or_default();
        let words = if STR { 2 } else { 3 };
        for place in &mut *places {
            // SAFETY: a slot, as above.
            let found = unsafe { place.cast::<I>().read() };
            let entry = if found == I::EMPTY { 0 } else { found.entry() };
            // SAFETY: what an index says is an entry, and there is a first one.
            *place = unsafe { self.entries.add(entry * words) };
            prefetch(*place);
        }
        if STR {
            for place in places {
                // SAFETY: an entry that was written begins with its key.
                prefetch(unsafe { place.read() } as *const ffi::PyASCIIObject);
            }
        }
    }
}

/// Has the processor fetch what is there, while it does something else.
#[inline(always)]
pub(super) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an address that cannot be read is ignored.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// The hash of a key that a table of this kind takes here, and `None` of any other.
#[inline(always)]
pub(super) fn hash_of<const STR: bool>(key: &Value) -> Option<usize> {
    if key.is_str() {
        return Some(str_hash(key));
    }
    if STR || key.info & FREE_KEY == 0 {
        return None;
    }
    // SAFETY: an exact int, whose hash cannot fail.
    let hash = unsafe { ffi::PyObject_Hash(key.object) };
    Some(hash.cast_unsigned())
}

/// The hash of an entry's key.
///
/// # Safety
/// An entry of a table of that kind.
#[inline(always)]
unsafe fn hash_in<const STR: bool>(entry: *const usize) -> usize {
    // SAFETY: an entry begins with a key, or with its hash.
    let first = unsafe { entry.read() };
    if !STR {
        return first;
    }
    let key = first as *const ffi::PyASCIIObject;
    // SAFETY: the keys of such a table are str, and have been hashed.
    let hash = unsafe { (*key).hash };
    hash.cast_unsigned()
}
