//! Operands of the text opcodes: decimal integers, floats, quoted strings, raw-unicode-escape, UTF-8.
//!
//! Accepts what picklers write and what every reader of pickles agrees on. Spellings that only some readers accept
//! (`0x1f`, `1_000`, blanks) are refused: two readers must never see two values. Leading zeros are octal, decimal or an
//! error, depending on the reader; from 3.14 on CPython says that they are decimal, and built for it we read them so.

use crate::error::Kind;
use crate::stream::Op;

/// Digits beyond which no `i64` is tried.
const I64_DIGITS: usize = 18;

/// INT's and LONG's text: `-?(0|[1-9][0-9]*)`, for 3.14 and later `-?[0-9]+`.
pub(super) fn integer(text: &[u8]) -> Result<Op<'_>, Kind> {
    let text = if cfg!(Py_3_15) { unsigned(text) } else { text };
    if !is_decimal(text) {
        return Err(Kind::BadInt(text.to_vec()));
    }
    if text.len() > I64_DIGITS {
        return Ok(Op::Decimal(text));
    }
    let magnitude = text
        .iter()
        .filter(|digit| **digit != b'-')
        .fold(0i64, |value, digit| value * 10 + i64::from(digit & 0x0f));
    Ok(Op::Int(if text.starts_with(b"-") {
        -magnitude
    } else {
        magnitude
    }))
}

/// Without leading blanks and a plus sign, which CPython reads alike in both of its readers from 3.15 on.
fn unsigned(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    match text {
        [b'+', rest @ ..] if rest.first().is_some_and(u8::is_ascii_digit) => rest,
        text => text,
    }
}

/// GET's and PUT's text, with the leading zeros that `int()` allows at base 10.
pub(super) fn index(text: &[u8]) -> Result<i64, Kind> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let bad = || Kind::BadInt(text.to_vec());
    if digits.is_empty() || digits.len() > I64_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(bad)
}

fn is_decimal(text: &[u8]) -> bool {
    match text.strip_prefix(b"-").unwrap_or(text) {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        [b'0', rest @ ..] if cfg!(Py_3_14) => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// FLOAT's text, as `PyOS_string_to_double` reads it: overflow is an error, `inf` and `nan` are words.
pub(super) fn float(text: &[u8]) -> Result<f64, Kind> {
    let value: f64 = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Kind::BadFloat(text.to_vec()))?;
    if value.is_infinite() && text.iter().any(u8::is_ascii_digit) {
        return Err(Kind::FloatOverflow(text.to_vec()));
    }
    Ok(value)
}

/// STRING's text without its quotes.
pub(super) fn unquote(line: &[u8]) -> Result<&[u8], Kind> {
    match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => Ok(inner),
        _ => Err(Kind::NotQuoted),
    }
}

/// STRING's escapes, as `PyBytes_DecodeEscape` reads them: an unknown escape keeps its backslash.
pub fn unescape(quoted: &[u8]) -> Result<Vec<u8>, Kind> {
    let mut out = Vec::new();
    let mut rest = quoted;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some((escape, tail)) = rest.split_first() else {
            return Err(Kind::TrailingBackslash);
        };
        rest = tail;
        match escape {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => out.push(*escape),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b't' => out.push(b'\t'),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'v' => out.push(0x0b),
            b'a' => out.push(0x07),
            b'0'..=b'7' => {
                let digits = 1 + rest
                    .iter()
                    .take(2)
                    .take_while(|digit| matches!(digit, b'0'..=b'7'))
                    .count();
                let (more, tail) = rest.split_at(digits - 1);
                let value = more.iter().fold(u32::from(escape & 7), |value, digit| {
                    value * 8 + u32::from(digit & 7)
                });
                out.push(value.to_le_bytes()[0]);
                rest = tail;
            }
            b'x' => match rest {
                [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    out.push(hex(&[*high, *low]).unwrap_or_default().to_le_bytes()[0]);
                    rest = tail;
                }
                _ => return Err(Kind::BadEscape(quoted.len() - rest.len() - 2)),
            },
            other => out.extend_from_slice(&[b'\\', *other]),
        }
    }
    Ok(out)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// UNICODE's text (raw-unicode-escape: latin-1 with `\uXXXX` and `\UXXXXXXXX`), as UTF-8 with surrogates let through.
pub fn raw_unicode(line: &[u8]) -> Result<Vec<u8>, Kind> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        let escape = line.get(at + 1);
        let width = match (byte, escape) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            (b'\\', Some(other)) => {
                push_code_point(&mut out, u32::from(b'\\'));
                push_code_point(&mut out, u32::from(*other));
                at += 2;
                continue;
            }
            _ => {
                push_code_point(&mut out, u32::from(*byte));
                at += 1;
                continue;
            }
        };
        let digits = line.get(at + 2..at + 2 + width).and_then(hex);
        let fault = |end, reason| bad_text("rawunicodeescape", line, at, end, reason);
        match digits {
            Some(point) if point <= 0x0010_ffff => push_code_point(&mut out, point),
            Some(_) => return Err(fault(at + 2 + width, "\\Uxxxxxxxx out of range")),
            None => {
                let tail = line.get(at + 2..).unwrap_or_default();
                let good = tail
                    .iter()
                    .take(width)
                    .take_while(|digit| digit.is_ascii_hexdigit())
                    .count();
                let reason = if width == 4 {
                    "truncated \\uXXXX escape"
                } else {
                    "truncated \\UXXXXXXXX escape"
                };
                return Err(fault(at + 2 + good, reason));
            }
        }
        at += 2 + width;
    }
    Ok(out)
}

/// UTF-8 of one code point, a surrogate's three bytes included.
fn push_code_point(out: &mut Vec<u8>, point: u32) {
    if let Some(char) = char::from_u32(point) {
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let [low, high, ..] = point.to_le_bytes();
        let bits = u16::from_le_bytes([low, high]);
        let continuation = |bits: u16| 0x80 | (bits & 0x3f).to_le_bytes()[0];
        out.extend_from_slice(&[
            0xe0 | (bits >> 12).to_le_bytes()[0],
            continuation(bits >> 6),
            continuation(bits),
        ]);
    }
}

/// Checks BINUNICODE's bytes as `PyUnicode_DecodeUTF8(…, "surrogatepass")` would. `true`: plain UTF-8; `false`: it
/// holds lone surrogates.
pub fn check_utf8(bytes: &[u8]) -> Result<bool, Kind> {
    let mut from = 0;
    loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let Err(fault) = std::str::from_utf8(rest) else {
            return Ok(from == 0);
        };
        let start = from + fault.valid_up_to();
        match bytes.get(start..start + 3) {
            Some([0xed, 0xa0..=0xbf, 0x80..=0xbf]) => from = start + 3,
            _ => return Err(utf8_fault(bytes, start, fault.error_len())),
        }
    }
}

#[cold]
fn utf8_fault(bytes: &[u8], start: usize, length: Option<usize>) -> Kind {
    let reason = match (length, bytes.get(start)) {
        (None, _) => "unexpected end of data",
        (_, Some(0xc2..=0xf4)) => "invalid continuation byte",
        _ => "invalid start byte",
    };
    bad_text(
        "utf-8",
        bytes,
        start,
        length.map_or(bytes.len(), |length| start + length),
        reason,
    )
}

/// The fault of a text that does not decode.
#[cold]
pub fn bad_text(
    codec: &'static str,
    object: &[u8],
    start: usize,
    end: usize,
    reason: &'static str,
) -> Kind {
    let shown = object.get(start..).unwrap_or_default();
    Kind::BadText {
        codec,
        start,
        end,
        reason,
        object: shown.iter().take(200).copied().collect(),
    }
}

/// A name of GLOBAL.
pub fn name(bytes: &[u8]) -> Result<&str, Kind> {
    std::str::from_utf8(bytes)
        .map_err(|fault| utf8_fault(bytes, fault.valid_up_to(), fault.error_len()))
}

/// A name of INST, which is older than names that are not ASCII.
pub fn ascii(bytes: &[u8]) -> Result<&str, Kind> {
    match bytes.iter().position(|byte| !byte.is_ascii()) {
        Some(at) => Err(bad_text(
            "ascii",
            bytes,
            at,
            at + 1,
            "ordinal not in range(128)",
        )),
        None => name(bytes),
    }
}

/// Whether all bytes are ASCII. For short text, two words that may overlap instead of a loop.
#[inline(always)]
pub fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    if bytes.len() > 32 {
        return bytes.is_ascii();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let mut any = u64::from_le_bytes(*first) | u64::from_le_bytes(*last);
        if bytes.len() > 16
            && let (Some([.., second]), Some([third, ..])) = (
                bytes
                    .first_chunk::<16>()
                    .map(|chunk| chunk.as_chunks::<8>().0),
                bytes
                    .last_chunk::<16>()
                    .map(|chunk| chunk.as_chunks::<8>().0),
            )
        {
            any |= u64::from_le_bytes(*second) | u64::from_le_bytes(*third);
        }
        return any & HIGH == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let any = u32::from_le_bytes(*first) | u32::from_le_bytes(*last);
        return u64::from(any) & HIGH == 0;
    }
    bytes.iter().fold(0, |any, byte| any | byte) & 0x80 == 0
}

/// Whether the bytes, none of them above 0xc3, are UTF-8: then every character is below U+0100. Each byte that starts two
/// is followed by one that goes on, and no other is. A fifth of the instructions of `str::from_utf8`.
pub fn is_latin1_utf8(bytes: &[u8]) -> bool {
    let (Some((first, behind)), Some((last, before))) = (bytes.split_first(), bytes.split_last())
    else {
        return true;
    };
    let starts = |byte: u8| byte >= 0xc2;
    let goes_on = |byte: u8| byte & 0xc0 == 0x80;
    // 0xc0 and 0xc1 start nothing.
    let odd = |byte: u8| byte & 0xfe == 0xc0;
    let mut wrong = goes_on(*first) | starts(*last) | odd(*last);
    for (byte, next) in before.iter().zip(behind) {
        wrong |= (starts(*byte) != goes_on(*next)) | odd(*byte);
    }
    !wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_in_utf8_is_told_as_the_decoder_tells_it() {
        let some = [0x00, 0x41, 0x7f, 0x80, 0xa9, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3];
        let mut texts = vec![Vec::new()];
        for length in 0..4 {
            let longest: Vec<Vec<u8>> = texts
                .iter()
                .filter(|text: &&Vec<u8>| text.len() == length)
                .cloned()
                .collect();
            for text in longest {
                texts.extend(some.iter().map(|byte| [&text[..], &[*byte]].concat()));
            }
        }
        for text in texts {
            assert_eq!(
                is_latin1_utf8(&text),
                std::str::from_utf8(&text).is_ok(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn integers_are_plain_decimal() {
        assert_eq!(integer(b"0"), Ok(Op::Int(0)));
        assert_eq!(integer(b"-0"), Ok(Op::Int(0)));
        assert_eq!(
            integer(b"-123456789012345678"),
            Ok(Op::Decimal(b"-123456789012345678"))
        );
        assert_eq!(
            integer(b"123456789012345678"),
            Ok(Op::Int(123_456_789_012_345_678))
        );
        for bad in [
            "", "-", "+1", " 1", "1 ", "007", "0x1f", "1_000", "1L", "\u{661}",
        ] {
            assert_eq!(
                integer(bad.as_bytes()),
                Err(Kind::BadInt(bad.into())),
                "{bad}"
            );
        }
        assert_eq!(index(b"007"), Ok(7));
        assert_eq!(index(b"-1"), Ok(-1));
        assert!(index(b"99999999999999999999").is_err());
        assert!(index(b"1_0").is_err());
    }

    #[test]
    fn floats_are_read_as_c_reads_them() {
        assert_eq!(float(b"1.5e3"), Ok(1500.0));
        assert_eq!(float(b"-inf"), Ok(f64::NEG_INFINITY));
        assert!(float(b"nan").is_ok_and(f64::is_nan));
        assert_eq!(float(b"1e400"), Err(Kind::FloatOverflow(b"1e400".to_vec())));
        for bad in ["", " 1", "1 ", "1e", "0x1p3", "1_0", "."] {
            assert!(float(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn quoted_strings() {
        assert_eq!(unquote(b"'a'"), Ok(&b"a"[..]));
        assert_eq!(unquote(b"\"\""), Ok(&b""[..]));
        for bad in [&b"'"[..], b"", b"'a\"", b"a", b"'a' ", b"\""] {
            assert_eq!(unquote(bad), Err(Kind::NotQuoted));
        }
        assert_eq!(unescape(br"a\n\x41\101\\\'\q\0").unwrap(), b"a\nAA\\'\\q\0");
        assert_eq!(unescape(br"\1234").unwrap(), b"S4");
        assert_eq!(unescape(br"ab\x4"), Err(Kind::BadEscape(2)));
        assert_eq!(unescape(b"a\\"), Err(Kind::TrailingBackslash));
    }

    #[test]
    fn raw_unicode_escapes() {
        let text = |line: &[u8]| String::from_utf8(raw_unicode(line).unwrap()).unwrap();
        assert_eq!(text(b"a\xe9"), "a\u{e9}");
        assert_eq!(text(br"\u20ac\U0001F600"), "\u{20ac}\u{1f600}");
        assert_eq!(text(br"\\u20ac"), r"\\u20ac");
        assert_eq!(text(br"\x41\"), r"\x41\");
        assert_eq!(raw_unicode(br"\ud800").unwrap(), b"\xed\xa0\x80");
        assert!(matches!(
            raw_unicode(br"x\u12"),
            Err(Kind::BadText {
                start: 1,
                end: 5,
                ..
            })
        ));
        assert!(matches!(
            raw_unicode(br"\U00110000"),
            Err(Kind::BadText {
                start: 0,
                end: 10,
                ..
            })
        ));
    }

    #[test]
    fn ascii_is_told_at_every_length_and_place() {
        for length in 0..80 {
            let mut bytes = vec![0x7f; length];
            assert!(is_ascii(&bytes));
            for at in 0..length {
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{length} {at}");
                bytes[at] = 0;
            }
        }
    }

    #[test]
    fn utf8_lets_surrogates_through_and_nothing_else() {
        assert_eq!(check_utf8("a\u{20ac}".as_bytes()), Ok(true));
        assert_eq!(check_utf8(b"a\xed\xa0\x80b"), Ok(false));
        assert!(matches!(
            check_utf8(b"a\xff"),
            Err(Kind::BadText {
                start: 1,
                end: 2,
                reason: "invalid start byte",
                ..
            })
        ));
        assert!(matches!(
            check_utf8(b"\xe2\x82"),
            Err(Kind::BadText {
                end: 2,
                reason: "unexpected end of data",
                ..
            })
        ));
        assert!(matches!(
            check_utf8(b"\xe2a"),
            Err(Kind::BadText {
                end: 1,
                reason: "invalid continuation byte",
                ..
            })
        ));
    }
}
