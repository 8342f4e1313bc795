//! What UTF-8 holds, 16 bytes at a time: whether it is valid, how many characters it has, and how wide they are.
//!
//! The check is that of J. Keiser and D. Lemire, "Validating UTF-8 in less than one instruction per byte" (2021): two
//! bytes in a row are wrong in one of eight ways or in none, which three tables of half a byte each tell together; what
//! is left is whether a third and a fourth byte stand where one has to.

use std::arch::x86_64::{
    __m128i, _mm_alignr_epi8, _mm_and_si128, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8, _mm_setr_epi8, _mm_setzero_si128, _mm_shuffle_epi8, _mm_srli_epi16,
    _mm_subs_epu8, _mm_testz_si128, _mm_xor_si128,
};

use super::text::Width;
use super::vectors::{BLOCK, GROUP, byte, firsts, from, is_ascii, load, rest};

/// A first byte is followed by no continuation.
const TOO_SHORT: u8 = 1 << 0;
/// ASCII is followed by a continuation.
const TOO_LONG: u8 = 1 << 1;
/// Three bytes for what fits in two.
const OVERLONG_3: u8 = 1 << 2;
/// Beyond U+10FFFF.
const TOO_LARGE: u8 = 1 << 3;
/// U+D800 to U+DFFF: valid for `surrogatepass`, which is the interpreter's affair.
const SURROGATE: u8 = 1 << 4;
/// Two bytes for what fits in one.
const OVERLONG_2: u8 = 1 << 5;
/// Beyond U+10FFFF, or four bytes for what fits in three: the same bit, since no pair of bytes is both.
const TOO_LARGE_1000: u8 = 1 << 6;
const OVERLONG_4: u8 = 1 << 6;
/// Two continuations: right behind a first byte of three or four, wrong elsewhere.
const TWO_CONTINUATIONS: u8 = 1 << 7;
/// What the low half of a first byte does not tell.
const ANY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS;
const LARGE: u8 = ANY | TOO_LARGE | TOO_LARGE_1000;

/// What may be wrong, by the high half of a byte.
const BY_HIGH: [u8; 16] = [
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO_CONTINUATIONS,
    TWO_CONTINUATIONS,
    TWO_CONTINUATIONS,
    TWO_CONTINUATIONS,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4,
];

/// What may be wrong, by the low half of the same byte.
const BY_LOW: [u8; 16] = [
    ANY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    ANY | OVERLONG_2,
    ANY,
    ANY,
    ANY | TOO_LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE | SURROGATE,
    LARGE,
    LARGE,
];

/// What may be wrong, by the high half of the byte behind it.
const BY_NEXT: [u8; 16] = [
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_LONG | TWO_CONTINUATIONS | OVERLONG_2 | SURROGATE | TOO_LARGE,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
];

/// How many characters UTF-8 without surrogates has, and how wide they are; `None` for all else.
#[target_feature(enable = "sse4.1,popcnt")]
pub fn measure(text: &[u8]) -> Option<(usize, Width)> {
    let (groups, behind) = text.as_chunks::<GROUP>();
    let mut survey = Survey::new();
    for group in groups {
        if is_ascii(group) {
            survey.skip_ascii();
            continue;
        }
        for block in group.as_chunks::<BLOCK>().0 {
            survey.look(load(block));
        }
    }
    for block in behind.as_chunks::<BLOCK>().0 {
        survey.look(load(block));
    }
    // At least one NUL is behind the last byte: it shows where a character is cut off.
    survey.look(rest(text));
    if _mm_testz_si128(survey.wrong, survey.wrong) == 0 {
        return None;
    }
    let any = |least| _mm_movemask_epi8(from(survey.widest, least)) != 0;
    let width = match (any(0xf0), any(0xc4)) {
        (true, _) => Width::Four,
        (false, true) => Width::Two,
        (false, false) => Width::One,
    };
    // The NULs were counted too.
    Some((survey.characters - (BLOCK - text.len() % BLOCK), width))
}

/// What was seen so far.
struct Survey {
    by_high: __m128i,
    by_low: __m128i,
    by_next: __m128i,
    /// Not zero where something is wrong.
    wrong: __m128i,
    /// The greatest byte of each place.
    widest: __m128i,
    before: __m128i,
    characters: usize,
}

impl Survey {
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    fn new() -> Self {
        let zero = _mm_setzero_si128();
        Self {
            by_high: load(&BY_HIGH),
            by_low: load(&BY_LOW),
            by_next: load(&BY_NEXT),
            wrong: zero,
            widest: zero,
            before: zero,
            characters: 0,
        }
    }

    /// Takes the next 16 bytes in.
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    fn look(&mut self, block: __m128i) {
        let half = _mm_set1_epi8(0xf);
        let one = _mm_alignr_epi8::<15>(block, self.before);
        let two = _mm_alignr_epi8::<14>(block, self.before);
        let three = _mm_alignr_epi8::<13>(block, self.before);
        let high = _mm_and_si128(_mm_srli_epi16::<4>(one), half);
        let next = _mm_and_si128(_mm_srli_epi16::<4>(block), half);
        let high = _mm_shuffle_epi8(self.by_high, high);
        let low = _mm_shuffle_epi8(self.by_low, _mm_and_si128(one, half));
        let next = _mm_shuffle_epi8(self.by_next, next);
        let found = _mm_and_si128(_mm_and_si128(high, low), next);
        // The top bit is left where two bytes back stands 0xe0 or more, or three bytes back 0xf0 or more.
        let third = _mm_subs_epu8(two, byte(0xe0 - 0x80));
        let fourth = _mm_subs_epu8(three, byte(0xf0 - 0x80));
        let due = _mm_and_si128(_mm_or_si128(third, fourth), byte(TWO_CONTINUATIONS));
        self.wrong = _mm_or_si128(self.wrong, _mm_xor_si128(found, due));
        self.widest = _mm_max_epu8(self.widest, block);
        self.characters += firsts(block).count_ones() as usize;
        self.before = block;
    }

    /// Takes in that ASCII follows, a group of it: what came before may still be wrong by not having ended.
    #[inline]
    #[target_feature(enable = "sse4.1,popcnt")]
    fn skip_ascii(&mut self) {
        let (two, three, four) = (-0x41, -0x21, -0x11);
        let ended = _mm_setr_epi8(
            -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, four, three, two,
        );
        self.wrong = _mm_or_si128(self.wrong, _mm_subs_epu8(self.before, ended));
        self.before = _mm_setzero_si128();
        self.characters += GROUP;
    }
}
