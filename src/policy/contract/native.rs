//! The types and patterns that are built in Rust, and which contract each has.

use serde::{Deserialize, Serialize};

use super::{arrays, calendar, collections, numbers, patterns, text};
use crate::policy::judge::check_state;
use crate::policy::view::{Look, describe_all};
use crate::policy::{Attempt, Plan};
use crate::policy::{EntryId, Fields, Policy};

/// A kind of value that is built natively, or a callable that is recognised as
/// a pattern and never called. The names are those of the preset documents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Native {
    /// A name that only stands as a value: `builtins.int`, `builtins.Ellipsis`.
    Value,
    /// `builtins.object`; `object()` only where the entry has `new`.
    Object,
    /// `builtins.type`: `type(None)`.
    Type,
    /// `builtins.bytes`: `bytes()`.
    Bytes,
    /// `builtins.bytearray`.
    ByteArray,
    /// `_codecs.encode(str, 'latin1')`: how protocols 0 to 2 spell bytes.
    Encode,
    /// `builtins.complex`.
    Complex,
    /// `builtins.range`.
    Range,
    /// `builtins.slice`.
    Slice,
    /// `builtins.set` and `builtins.frozenset` of a list.
    Set,
    /// `datetime.date`.
    Date,
    /// `datetime.time`.
    Time,
    /// `datetime.datetime`.
    #[serde(rename = "datetime")]
    DateTime,
    /// `datetime.timedelta`.
    #[serde(rename = "timedelta")]
    TimeDelta,
    /// `datetime.timezone`.
    #[serde(rename = "timezone")]
    TimeZone,
    /// `zoneinfo.ZoneInfo`, as the first argument of the `getattr` pattern.
    ZoneInfo,
    /// `zoneinfo.ZoneInfo._unpickle`.
    ZoneInfoUnpickle,
    /// `decimal.Decimal`.
    Decimal,
    /// `fractions.Fraction`.
    Fraction,
    /// `uuid.UUID`.
    Uuid,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `collections.deque`.
    Deque,
    /// `collections.defaultdict`.
    DefaultDict,
    /// `collections.Counter`.
    Counter,
    /// `builtins.frozendict`, new in 3.15.
    #[serde(rename = "frozendict")]
    FrozenDict,
    /// The classes of `pathlib`.
    Path,
    /// `ipaddress.IPv4Address`.
    Ipv4Address,
    /// `ipaddress.IPv6Address`.
    Ipv6Address,
    /// `ipaddress.IPv4Network`.
    Ipv4Network,
    /// `ipaddress.IPv6Network`.
    Ipv6Network,
    /// `ipaddress.IPv4Interface`.
    Ipv4Interface,
    /// `ipaddress.IPv6Interface`.
    Ipv6Interface,
    /// `array.array`.
    Array,
    /// `array._array_reconstructor`.
    ArrayReconstructor,
    /// `types.SimpleNamespace`.
    SimpleNamespace,
    /// An Enum or Flag class, called with a value.
    EnumMember,
    /// `copyreg._reconstructor`.
    Reconstructor,
    /// `copyreg.__newobj__`.
    NewObj,
    /// `copyreg.__newobj_ex__`.
    NewObjEx,
    /// `builtins.getattr`, resolved inside the policy.
    GetAttr,
    /// `_operator.or_` of two members of one Flag.
    FlagOr,
    /// `functools.partial(cls.__new__, cls, *args, **kwargs)`: how protocols 2
    /// and 3 spell `NEWOBJ_EX`.
    Partial,
}

/// Judges an attempt on a native entry whose rights have been checked.
pub(in crate::policy) fn judge<L: Look>(
    policy: &Policy,
    look: &L,
    id: EntryId,
    native: Native,
    attempt: Attempt<'_, L::Value>,
) -> Result<Plan, String> {
    match (native, attempt) {
        (_, Attempt::Call(args)) => call(policy, look, id, native, args),
        (Native::Object | Native::Uuid, Attempt::New(args)) => {
            if args.is_empty() {
                Ok(match native {
                    Native::Uuid => Plan::Unbuilt,
                    _ => Plan::AsIs,
                })
            } else {
                mismatch("()", look, args)
            }
        }
        (Native::FrozenDict, Attempt::New(args)) => collections::of_dict(look, args),
        (Native::Uuid, Attempt::State(state)) => numbers::uuid_state(policy, look, state),
        (Native::Partial, Attempt::State(state)) => patterns::partial_state(policy, look, state),
        (Native::OrderedDict | Native::SimpleNamespace, Attempt::State(state)) => {
            check_state(look, &Fields::Any, state).map(|()| Plan::AsIs)
        }
        (Native::Deque, Attempt::Append)
        | (Native::OrderedDict | Native::DefaultDict, Attempt::Items) => Ok(Plan::AsIs),
        _ => Err("this type has no such use in a pickle".into()),
    }
}

fn call<L: Look>(
    policy: &Policy,
    look: &L,
    id: EntryId,
    native: Native,
    args: &[L::Value],
) -> Result<Plan, String> {
    match native {
        Native::Type => text::none_type(look, args),
        Native::Bytes => text::bytes(look, args),
        Native::ByteArray => text::bytearray(look, args),
        Native::Encode => text::encode(look, args),
        Native::Path => text::path(look, args),
        Native::Ipv4Address
        | Native::Ipv6Address
        | Native::Ipv4Network
        | Native::Ipv6Network
        | Native::Ipv4Interface
        | Native::Ipv6Interface => text::ip(native, look, args),
        Native::Complex => numbers::complex(look, args),
        Native::Range => numbers::range(look, args),
        Native::Decimal => numbers::decimal(look, args),
        Native::Fraction => numbers::fraction(look, args),
        Native::Date => calendar::date(look, args),
        Native::Time => calendar::time(policy, look, args),
        Native::DateTime => calendar::datetime(policy, look, args),
        Native::TimeDelta => calendar::timedelta(look, args),
        Native::TimeZone => calendar::timezone(look, args),
        Native::ZoneInfoUnpickle => calendar::zone_info(look, args),
        Native::Slice => collections::slice(look, args),
        Native::Set => collections::set(look, args),
        Native::OrderedDict => collections::ordered_dict(look, args),
        Native::Deque => collections::deque(look, args),
        Native::DefaultDict => collections::default_dict(policy, look, args),
        Native::Counter => collections::of_dict(look, args),
        Native::SimpleNamespace => collections::simple_namespace(look, args),
        Native::Array => arrays::array(look, args),
        Native::ArrayReconstructor => arrays::reconstructor(policy, look, args),
        Native::EnumMember => patterns::enum_value(look, id, args),
        Native::Reconstructor => patterns::reconstructor(policy, look, args),
        Native::NewObj => patterns::newobj(policy, look, args),
        Native::NewObjEx => patterns::newobj_ex(policy, look, args),
        Native::GetAttr => patterns::getattr(policy, look, args),
        Native::FlagOr => patterns::flag_or(policy, look, args),
        Native::Partial => patterns::partial(look, id, args),
        Native::Value | Native::Object | Native::Uuid | Native::ZoneInfo | Native::FrozenDict => {
            Err("it is a value here and may not be called".into())
        }
    }
}

/// The refusal of arguments that fit no signature of a native type.
pub(super) fn mismatch<L: Look>(
    expected: &str,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    Err(format!(
        "its contract is {expected}, given {}",
        describe_all(look, args)
    ))
}
