//! UTF-8 to the widths of a str, 16 bytes at a time, on x86-64 processors since 2009 (SSE4.1, POPCNT).
//!
//! A decoder that looks at one character after the other mispredicts a branch wherever letters of one, two and three bytes
//! follow each other by chance. Here every position of 16 is treated as if a character began there, and what began
//! nowhere is shuffled out: from ten characters on 1.3 times as fast as a loop over characters of one length, and up to
//! 28 times where they are mixed. What is read was measured before, in [`super::measure`].
//!
//! Crates were tried first. `encoding_rs` is vectorised for ASCII alone, is slower than a plain loop on mixed text, and has
//! no UTF-32; `simdutf8` leaves texts below 64 bytes to the standard library, and only checks; `simdutf` is C++, for which
//! everyone who builds from source would need a compiler.

use std::arch::x86_64::{
    __m128i, _mm_alignr_epi8, _mm_and_si128, _mm_blendv_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8,
    _mm_cmpgt_epi32, _mm_loadl_epi64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16,
    _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16,
    _mm_set1_epi32, _mm_setr_epi8, _mm_setzero_si128, _mm_shuffle_epi8, _mm_slli_epi16,
    _mm_srli_epi32, _mm_srli_si128, _mm_storel_epi64, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpackhi_epi16, _mm_unpacklo_epi8, _mm_unpacklo_epi16,
};
use std::mem::MaybeUninit;
use std::ptr;

use super::ints::little;

/// Bytes of a vector.
pub const BLOCK: usize = 16;
/// Bytes that are asked at once whether they are ASCII: where scripts are mixed the answer is no, and no surprise.
pub const GROUP: usize = 4 * BLOCK;
/// Characters that a step may write over, beyond those that are left of a text.
const STAGE: usize = 2 * BLOCK;

/// Whether this processor has what the functions below need.
pub fn available() -> bool {
    is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("popcnt")
}

// ---- the three widths --------------------------------------------------------------------------------------------

/// A character of a str in memory.
pub trait Unit: Copy {
    /// Writes the characters that begin in `block`, as far as `next` is needed with the first three bytes behind it;
    /// says how many they are. Up to 16 characters of room are written over.
    ///
    /// # Safety
    /// The processor has what [`available`] asks for; `to` has room for 16 characters.
    unsafe fn step(block: __m128i, next: __m128i, to: *mut Self) -> usize;

    /// Writes 16 ASCII characters.
    ///
    /// # Safety
    /// As [`Unit::step`].
    unsafe fn widen(block: __m128i, to: *mut Self);
}

/// Writes text in the width that was measured.
///
/// # Safety
/// `to` has room for `characters` characters: as many as [`measure`] has found in the text.
#[target_feature(enable = "sse4.1,popcnt")]
pub unsafe fn write<T: Unit>(text: &[u8], mut to: *mut T, characters: usize) {
    let last = rest(text);
    let block_at = |at: usize| {
        let text = text.get(at..).unwrap_or_default();
        text.first_chunk::<BLOCK>()
            .map_or(last, |block| load(block))
    };
    let (mut at, mut left) = (0, characters);
    let mut block = block_at(0);
    while left >= BLOCK {
        if at % GROUP == 0
            && left >= GROUP
            && let Some(group) = text.get(at..).and_then(<[u8]>::first_chunk::<GROUP>)
            && is_ascii(group)
        {
            for block in group.as_chunks::<BLOCK>().0 {
                let block = load(block);
                // SAFETY: at least 64 characters of the room are left.
                unsafe { T::widen(block, to) };
                // SAFETY: as above.
                to = unsafe { to.add(BLOCK) };
            }
            left -= GROUP;
            at += GROUP;
            block = block_at(at);
            continue;
        }
        at += BLOCK;
        let behind = block_at(at);
        // SAFETY: at least 16 characters of the room are left.
        let count = unsafe { T::step(block, behind, to) };
        // SAFETY: no more than those 16 were written.
        to = unsafe { to.add(count) };
        left -= count;
        block = behind;
    }
    // The last few go through a stage: a step writes over more than it has.
    let mut stage = [const { MaybeUninit::<T>::uninit() }; STAGE];
    let start = stage.as_mut_ptr().cast::<T>();
    let mut staged = 0;
    while staged < left {
        at += BLOCK;
        let behind = block_at(at);
        // SAFETY: fewer than 16 are there.
        let end = unsafe { start.add(staged) };
        // SAFETY: so there is room for 16 more.
        staged += unsafe { T::step(block, behind, end) };
        block = behind;
    }
    // SAFETY: as many were written, and as many have room.
    unsafe { ptr::copy_nonoverlapping(start, to, left) };
}

impl Unit for u8 {
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn step(block: __m128i, next: __m128i, to: *mut Self) -> usize {
        let high = _mm_and_si128(_mm_slli_epi16::<6>(block), byte(0xc0));
        let low = _mm_and_si128(_mm_alignr_epi8::<1>(next, block), byte(0x3f));
        let pair = _mm_or_si128(high, low);
        let all = _mm_blendv_epi8(block, pair, from(block, 0xc0));
        let firsts = firsts(block);
        let [low, high] = halves(firsts);
        let front = _mm_shuffle_epi8(all, load_half(&BYTES[low]));
        let back = _mm_shuffle_epi8(_mm_srli_si128::<8>(all), load_half(&BYTES[high]));
        // SAFETY: the caller's promise.
        unsafe { store_half(to, front) };
        // SAFETY: up to eight characters on, and eight more.
        let to = unsafe { to.add(low.count_ones() as usize) };
        // SAFETY: as above.
        unsafe { store_half(to, back) };
        firsts.count_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn widen(block: __m128i, to: *mut Self) {
        // SAFETY: the caller's promise.
        unsafe { store(to, block) };
    }
}

impl Unit for u16 {
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn step(block: __m128i, next: __m128i, to: *mut Self) -> usize {
        let zero = _mm_setzero_si128();
        let second = _mm_and_si128(_mm_alignr_epi8::<1>(next, block), byte(0x3f));
        let third = _mm_and_si128(_mm_alignr_epi8::<2>(next, block), byte(0x3f));
        let (is_two, is_three) = (from(block, 0xc0), from(block, 0xe0));
        let join = |first, two, third, is_two, is_three| {
            let two = _mm_maddubs_epi16(two, _mm_set1_epi16(0x4001));
            // Of a first byte's bits all but the low four are shifted out.
            let three = _mm_or_si128(_mm_slli_epi16::<6>(two), third);
            let two = _mm_and_si128(two, _mm_set1_epi16(0x7ff));
            _mm_blendv_epi8(_mm_blendv_epi8(first, two, is_two), three, is_three)
        };
        let front = join(
            _mm_unpacklo_epi8(block, zero),
            _mm_unpacklo_epi8(second, block),
            _mm_unpacklo_epi8(third, zero),
            _mm_unpacklo_epi8(is_two, is_two),
            _mm_unpacklo_epi8(is_three, is_three),
        );
        let back = join(
            _mm_unpackhi_epi8(block, zero),
            _mm_unpackhi_epi8(second, block),
            _mm_unpackhi_epi8(third, zero),
            _mm_unpackhi_epi8(is_two, is_two),
            _mm_unpackhi_epi8(is_three, is_three),
        );
        let firsts = firsts(block);
        let [low, high] = halves(firsts);
        let front = _mm_shuffle_epi8(front, load(&PAIRS[low]));
        let back = _mm_shuffle_epi8(back, load(&PAIRS[high]));
        // SAFETY: the caller's promise.
        unsafe { store(to, front) };
        // SAFETY: up to eight characters on, and eight more.
        let to = unsafe { to.add(low.count_ones() as usize) };
        // SAFETY: as above.
        unsafe { store(to, back) };
        firsts.count_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn widen(block: __m128i, to: *mut Self) {
        let zero = _mm_setzero_si128();
        let front = _mm_unpacklo_epi8(block, zero);
        let back = _mm_unpackhi_epi8(block, zero);
        // SAFETY: the caller's promise.
        unsafe { store(to, front) };
        // SAFETY: eight characters on, and eight more.
        let to = unsafe { to.add(BLOCK / 2) };
        // SAFETY: as above.
        unsafe { store(to, back) };
    }
}

impl Unit for u32 {
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn step(block: __m128i, next: __m128i, mut to: *mut Self) -> usize {
        // The long way takes longer than a surprise.
        if _mm_movemask_epi8(block) == 0 {
            // SAFETY: the caller's promise.
            unsafe { Self::widen(block, to) };
            return BLOCK;
        }
        // Each of four positions with the three bytes behind it, the first one on top.
        let spread = _mm_setr_epi8(3, 2, 1, 0, 4, 3, 2, 1, 5, 4, 3, 2, 6, 5, 4, 3);
        let join = |bytes| {
            let words = _mm_shuffle_epi8(bytes, spread);
            let first = _mm_srli_epi32::<24>(words);
            let sixes = _mm_and_si128(words, _mm_set1_epi32(0xff3f_3f3f_u32.cast_signed()));
            let twelves = _mm_maddubs_epi16(sixes, _mm_set1_epi16(0x4001));
            let all = _mm_madd_epi16(twelves, _mm_set1_epi32(0x1000_0001));
            let two = _mm_and_si128(_mm_srli_epi32::<12>(all), _mm_set1_epi32(0x7ff));
            let three = _mm_and_si128(_mm_srli_epi32::<6>(all), _mm_set1_epi32(0xffff));
            let four = _mm_and_si128(all, _mm_set1_epi32(0x1f_ffff));
            let above = |least| _mm_cmpgt_epi32(first, _mm_set1_epi32(least - 1));
            let up_to_two = _mm_blendv_epi8(first, two, above(0xc0));
            let up_to_three = _mm_blendv_epi8(up_to_two, three, above(0xe0));
            _mm_blendv_epi8(up_to_three, four, above(0xf0))
        };
        let parts = [
            join(block),
            join(_mm_alignr_epi8::<4>(next, block)),
            join(_mm_alignr_epi8::<8>(next, block)),
            join(_mm_alignr_epi8::<12>(next, block)),
        ];
        let firsts = firsts(block);
        let mut rest = firsts as usize;
        for part in parts {
            let four = rest % 16;
            let part = _mm_shuffle_epi8(part, load(&QUADS[four]));
            // SAFETY: the caller's promise: up to four characters on for each part before, and four more.
            unsafe { store(to, part) };
            // SAFETY: as above.
            to = unsafe { to.add(four.count_ones() as usize) };
            rest /= 16;
        }
        firsts.count_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    unsafe fn widen(block: __m128i, mut to: *mut Self) {
        let zero = _mm_setzero_si128();
        for half in [
            _mm_unpacklo_epi8(block, zero),
            _mm_unpackhi_epi8(block, zero),
        ] {
            for quarter in [
                _mm_unpacklo_epi16(half, zero),
                _mm_unpackhi_epi16(half, zero),
            ] {
                // SAFETY: the caller's promise.
                unsafe { store(to, quarter) };
                // SAFETY: four characters on for each of four.
                to = unsafe { to.add(BLOCK / 4) };
            }
        }
    }
}

// ---- pieces ------------------------------------------------------------------------------------------------------

/// Which of eight bytes stay, for every choice of them.
static BYTES: [[u8; 8]; 256] = choices::<8, 1, 256>();
/// Which of eight pairs of bytes stay.
static PAIRS: [[u8; 16]; 256] = choices::<16, 2, 256>();
/// Which of four words stay.
static QUADS: [[u8; 16]; 16] = choices::<16, 4, 16>();

/// For every choice of units of so many bytes, the shuffle that moves them to the front.
#[allow(clippy::cast_possible_truncation)] // places in 16 bytes
const fn choices<const LENGTH: usize, const BYTES: usize, const CHOICES: usize>()
-> [[u8; LENGTH]; CHOICES] {
    let mut table = [[0x80; LENGTH]; CHOICES];
    let mut choice = 0;
    while choice < CHOICES {
        let (mut from, mut to) = (0, 0);
        while from < LENGTH {
            if choice >> (from / BYTES) & 1 == 1 {
                table[choice][to] = from as u8;
                to += 1;
            }
            from += 1;
        }
        choice += 1;
    }
    table
}

/// Shuffles that move the last bytes to the front, and zeros behind them: read from 16 on back.
#[allow(clippy::cast_possible_truncation)] // places in 16 bytes
static SLIDES: [u8; 2 * BLOCK] = {
    let mut table = [0x80; 2 * BLOCK];
    let mut at = 0;
    while at < BLOCK {
        table[at] = at as u8;
        at += 1;
    }
    table
};

/// Whether a group is ASCII.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn is_ascii(group: &[u8; GROUP]) -> bool {
    let blocks = group.as_chunks::<BLOCK>().0.iter();
    let any = blocks.fold(_mm_setzero_si128(), |any, block| {
        _mm_or_si128(any, load(block))
    });
    _mm_movemask_epi8(any) == 0
}

/// A bit for every byte that begins a character.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn firsts(block: __m128i) -> u32 {
    _mm_movemask_epi8(_mm_cmpgt_epi8(block, byte(0xbf))).cast_unsigned()
}

/// The bits of either half.
#[inline(always)]
fn halves(firsts: u32) -> [usize; 2] {
    [(firsts & 0xff) as usize, (firsts >> 8 & 0xff) as usize]
}

/// Where a byte is at least so great.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn from(block: __m128i, least: u8) -> __m128i {
    _mm_cmpeq_epi8(_mm_max_epu8(block, byte(least)), block)
}

/// A vector of one byte.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn byte(byte: u8) -> __m128i {
    _mm_set1_epi8(byte.cast_signed())
}

#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn load(bytes: &[u8; BLOCK]) -> __m128i {
    // SAFETY: 16 bytes, wherever they are.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
fn load_half(bytes: &[u8; 8]) -> __m128i {
    // SAFETY: eight bytes, wherever they are.
    unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) }
}

/// # Safety
/// `to` has room for 16 bytes.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
unsafe fn store<T>(to: *mut T, vector: __m128i) {
    // SAFETY: the caller's promise.
    unsafe { _mm_storeu_si128(to.cast(), vector) }
}

/// # Safety
/// `to` has room for eight bytes.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
unsafe fn store_half(to: *mut u8, vector: __m128i) {
    // SAFETY: the caller's promise.
    unsafe { _mm_storel_epi64(to.cast(), vector) }
}

/// What is left of the text behind whole blocks, and NULs behind it: at least one.
#[inline]
#[target_feature(enable = "sse4.1,popcnt")]
pub fn rest(text: &[u8]) -> __m128i {
    let (_, rest) = text.as_chunks::<BLOCK>();
    let length = rest.len();
    if let Some(last) = text.last_chunk::<BLOCK>() {
        let (_, slide) = SLIDES.split_at(BLOCK - length);
        let slide = slide.first_chunk::<BLOCK>().unwrap_or(&[0x80; BLOCK]);
        return _mm_shuffle_epi8(load(last), load(slide));
    }
    let (low, high) = match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(low), Some(high)) => {
            let high = u64::from_le_bytes(*high);
            (
                u64::from_le_bytes(*low),
                if length > 8 {
                    high >> (8 * (BLOCK - length))
                } else {
                    0
                },
            )
        }
        _ => (little(rest), 0),
    };
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}
