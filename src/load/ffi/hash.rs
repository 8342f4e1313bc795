//! The hash of an ASCII str, as the interpreter computes it.
//!
//! Its own way there is three calls, a loop and a jump that nobody can foresee for a key of ten characters; here it is
//! straight code, so that the processor works on several keys at once. Dicts of strings are loaded 1.1 times as fast. The
//! interpreter's secret is asked for by name, and the way is open only where the hashes made with it are its own: not with
//! another algorithm than SipHash-1-3, nor where the name is not exported.

use pyo3::ffi;
use pyo3::prelude::*;

use super::layout::layout;
use super::text::ASCII_WORDS;
use super::value::Value;

/// The word of a str's header whose first byte says what it is; nobody writes the rest.
const STATE: usize = 4;

/// What it takes to compute hashes.
#[derive(Clone, Copy)]
pub struct Hasher {
    secret: [u64; 2],
    /// What an ASCII str that is not interned says of itself. One that is has been hashed.
    state: u8,
}

/// The hash of an exact str, which is kept in it.
#[inline(always)]
pub fn str_hash(text: &Value) -> usize {
    let at = text.object.cast::<ffi::PyASCIIObject>();
    // SAFETY: an exact str.
    let known = unsafe { (*at).hash };
    if known != -1 {
        return known.cast_unsigned();
    }
    if let Some(hasher) = &layout().hasher
        && let Some(hash) = hasher.hash(text)
    {
        // SAFETY: an exact str.
        unsafe { (*at).hash = hash.cast_signed() };
        return hash;
    }
    // SAFETY: an exact str, whose hash cannot fail.
    unsafe { ffi::PyObject_Hash(text.object) }.cast_unsigned()
}

impl Hasher {
    /// `_Py_HashBytes` of the characters; `None` of what is not ASCII, or interned.
    #[inline(always)]
    fn hash(&self, text: &Value) -> Option<usize> {
        let words = text.object.cast::<u64>();
        // SAFETY: within the header of a str.
        let state = unsafe { words.add(STATE) }.cast::<u8>();
        // SAFETY: as above.
        if unsafe { state.read() } != self.state {
            return None;
        }
        // SAFETY: an exact str.
        let length = unsafe { (*text.object.cast::<ffi::PyASCIIObject>()).length }.unsigned_abs();
        if length == 0 {
            return None;
        }
        // SAFETY: the characters of such a str follow its header.
        let characters = unsafe { words.add(ASCII_WORDS) };
        let mut sip = Sip::new(self.secret);
        for at in 0..length / 8 {
            // SAFETY: within the characters; the allocator aligns to 16.
            let word = unsafe { characters.add(at) };
            // SAFETY: as above.
            sip.take(unsafe { word.read() });
        }
        let mut last = (length as u64) << 56;
        if !length.is_multiple_of(8) {
            // SAFETY: the word that ends with the last character: there is a header in front of them.
            let end = unsafe { characters.cast::<u8>().offset(length.cast_signed() - 8) };
            // SAFETY: as above.
            let end = unsafe { end.cast::<u64>().read_unaligned() };
            last |= end >> (8 * (8 - length % 8));
        }
        sip.take(last);
        Some(match sip.finish() {
            u64::MAX => usize::MAX - 1,
            #[allow(clippy::cast_possible_truncation)] // words have 64 bits where ways are open
            hash => hash as usize,
        })
    }
}

/// SipHash with one round a word and three at the end.
struct Sip([u64; 4]);

impl Sip {
    #[inline(always)]
    fn new([one, two]: [u64; 2]) -> Self {
        Self([
            one ^ 0x736f_6d65_7073_6575,
            two ^ 0x646f_7261_6e64_6f6d,
            one ^ 0x6c79_6765_6e65_7261,
            two ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline(always)]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }

    #[inline(always)]
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    #[inline(always)]
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        let [a, b, c, d] = self.0;
        a ^ b ^ c ^ d
    }
}

/// The interpreter's secret, where its hashes follow from it.
pub(super) fn learn(py: Python<'_>) -> PyResult<Option<Hasher>> {
    let (Some(secret), Some(header)) = (secret(), layout().ascii) else {
        return Ok(None);
    };
    let [state, ..] = header.get(STATE).copied().unwrap_or_default().to_ne_bytes();
    let hasher = Hasher { secret, state };
    for text in ["é", "éa", "жa", "漢a", "😀a"] {
        if hasher.hash(&super::utf8(py, text.as_bytes())?).is_some() {
            return Ok(None);
        }
    }
    let text: Vec<u8> = (b'!'..b'~').collect();
    for length in (2..25).chain([40, 64, 93]) {
        let text = super::ascii(py, text.get(..length).unwrap_or_default())?;
        let ours = hasher.hash(&text);
        // SAFETY: an exact str, whose hash cannot fail.
        let theirs = unsafe { ffi::PyObject_Hash(text.object) };
        if ours != Some(theirs.cast_unsigned()) {
            return Ok(None);
        }
    }
    Ok(Some(hasher))
}

/// The first words of `_Py_HashSecret`.
#[cfg(target_os = "linux")]
fn secret() -> Option<[u64; 2]> {
    use std::ffi::c_void;
    unsafe extern "C" {
        fn dlsym(library: *mut c_void, name: *const std::ffi::c_char) -> *mut c_void;
    }
    // SAFETY: a name, looked for in all that is loaded.
    let found = unsafe { dlsym(std::ptr::null_mut(), c"_Py_HashSecret".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: 24 bytes, written when the interpreter started.
    Some(unsafe { found.cast::<[u64; 2]>().read_unaligned() })
}

/// Elsewhere it is not asked for.
#[cfg(not(target_os = "linux"))]
fn secret() -> Option<[u64; 2]> {
    None
}
