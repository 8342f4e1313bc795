//! Native contracts of text and bytes: bytes, bytearray, `_codecs.encode`,
//! `type(None)`, paths, IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::native::{Native, mismatch};
use crate::policy::Plan;
use crate::policy::view::{Look, View};

/// The longest text of an IP interface with a scope: 45 characters of address,
/// a scope of any sensible interface name, a prefix length.
const MAX_IP_TEXT: usize = 128;

/// `type(None)`; never three arguments, never anything else's type.
pub(super) fn none_type<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [only] if look.view(only) == View::None => Ok(Plan::NoneType),
        _ => mismatch("(None)", look, args),
    }
}

/// `bytes()`: how protocols 0 to 2 spell `b""`.
pub(super) fn bytes<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    if args.is_empty() {
        Ok(Plan::EmptyBytes)
    } else {
        mismatch("()", look, args)
    }
}

/// `bytearray()`, of bytes, or of a str as latin-1. Never of an int, which
/// allocates that much.
pub(super) fn bytearray<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "() | (bytes) | (str below U+0100, 'latin-1')";
    match args {
        [] => Ok(Plan::ByteArray(None)),
        [bytes] if matches!(look.view(bytes), View::Bytes(_)) => Ok(Plan::ByteArray(Some(0))),
        [text, codec] if is_text(look.view(codec), "latin-1") && look.is_latin1(text) => {
            Ok(Plan::ByteArray(Some(0)))
        }
        _ => mismatch(EXPECTED, look, args),
    }
}

/// `_codecs.encode(str, 'latin1')`: any other codec would be imported and run.
pub(super) fn encode<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [text, codec] if look.view(codec) == View::Str("latin1") && look.is_latin1(text) => {
            Ok(Plan::Latin1(0))
        }
        _ => mismatch("(str below U+0100, 'latin1')", look, args),
    }
}

/// `Path(*parts)`.
pub(super) fn path<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let text = |arg| matches!(look.view(arg), View::Str(_) | View::SurrogateStr);
    if args.iter().all(text) {
        Ok(Plan::AsIs)
    } else {
        mismatch("(*str)", look, args)
    }
}

/// The classes of `ipaddress`, from the int or the text that they pickle as.
pub(super) fn ip<L: Look>(native: Native, look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const ALL_ONES_4: u128 = 0xffff_ffff;
    let expected = match native {
        Native::Ipv4Address => "(int below 2**32)",
        Native::Ipv6Address => "(int below 2**128) | (str, an address with a scope)",
        Native::Ipv4Network => "(str, 'a.b.c.d/n' without host bits)",
        Native::Ipv6Network => "(str, 'x::/n' without host bits)",
        Native::Ipv4Interface => "(str, 'a.b.c.d/n')",
        _ => "(str, 'x::y/n')",
    };
    let holds = match args {
        [only] => match (native, look.view(only)) {
            (Native::Ipv4Address, View::Int(_)) => {
                look.u128(only).is_some_and(|value| value <= ALL_ONES_4)
            }
            (Native::Ipv6Address, View::Int(_) | View::BigInt { .. }) => look.u128(only).is_some(),
            (Native::Ipv6Address, View::Str(text)) => scoped_address(text).is_some(),
            (_, View::Str(text)) => prefixed(native, text),
            _ => false,
        },
        _ => false,
    };
    if holds {
        Ok(Plan::AsIs)
    } else {
        mismatch(expected, look, args)
    }
}

/// The address and the prefix of `address/prefix`, as `str()` of a network or an interface writes it: for 128 bits where
/// `wide`, else for 32.
pub fn address_and_prefix(text: &str, wide: bool) -> Option<(u128, u32)> {
    let (address, prefix) = text.split_once('/').filter(|_| text.len() <= MAX_IP_TEXT)?;
    let digits =
        !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix = prefix.parse::<u32>().ok().filter(|_| digits)?;
    let (address, bits) = if wide {
        (scoped_address(address)?.to_bits(), 128)
    } else {
        (address.parse::<Ipv4Addr>().ok()?.to_bits().into(), 32)
    };
    (prefix <= bits).then_some((address, prefix))
}

/// Whether that is the text of a network, which has no host bits, or of an interface.
fn prefixed(native: Native, text: &str) -> bool {
    let (wide, is_network) = match native {
        Native::Ipv4Network => (false, true),
        Native::Ipv4Interface => (false, false),
        Native::Ipv6Network => (true, true),
        Native::Ipv6Interface => (true, false),
        _ => return false,
    };
    address_and_prefix(text, wide).is_some_and(|(address, prefix)| {
        let width = if wide { 128 } else { 32 };
        let host = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        !is_network || address & !host == 0
    })
}

/// An IPv6 address, perhaps followed by `%scope`.
pub fn scoped_address(text: &str) -> Option<Ipv6Addr> {
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (text, None),
    };
    let sane = |scope: &str| {
        !scope.is_empty()
            && scope
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'%' && b != b'/')
    };
    if text.len() > MAX_IP_TEXT || !scope.is_none_or(sane) {
        return None;
    }
    address.parse().ok()
}

/// A str, or under `encoding="bytes"` the bytes of a Python 2 str.
fn is_text(view: View<'_>, text: &str) -> bool {
    match view {
        View::Str(s) => s == text,
        View::Bytes(bytes) => bytes == text.as_bytes(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
