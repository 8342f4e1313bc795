//! What a judged attempt has become: the call with its arguments parsed, so
//! that the loader builds without a second look at the rules. Owns no rule.

use super::EntryId;
use super::calendar::{Clock, Day, Delta};
use super::numpy::{Dtype, Order};

/// Whether a UUID was generated in a multiprocessing-safe way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Safe {
    /// `SafeUUID.unknown`, or not said.
    #[default]
    Unknown,
    /// `SafeUUID.safe`.
    Safe,
    /// `SafeUUID.unsafe`.
    Unsafe,
    /// The `SafeUUID` that stands under `"is_safe"` in the state.
    Given,
}

/// The judged and parsed attempt. The loader builds from it and looks at no
/// rule again; the inspector throws it away. Every `usize` is the index of an
/// argument.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Plan {
    /// The contract held: do it as the stream says, with the real object.
    AsIs,
    /// Mentioned as something to call: there is no value for it. Whatever is
    /// not a call of it must ask [`Policy::may_stand`] and will be refused.
    CalleeOnly,
    /// An instance made by `__new__` that is nothing until BUILD.
    Unbuilt,
    /// `type(None)`.
    NoneType,
    /// `b""`.
    EmptyBytes,
    /// The str argument encoded as latin-1; every character is below 256.
    Latin1(usize),
    /// `bytearray()`, of bytes, or of a str as latin-1 (below 256 as well).
    ByteArray(Option<usize>),
    /// `complex(re, im)`.
    Complex {
        /// Real part.
        re: f64,
        /// Imaginary part.
        im: f64,
    },
    /// `datetime.date`.
    Date(Day),
    /// `datetime.time`, and where its tzinfo is.
    Time(Clock, Option<usize>),
    /// `datetime.datetime`, and where its tzinfo is.
    DateTime(Day, Clock, Option<usize>),
    /// `datetime.timedelta`.
    TimeDelta(Delta),
    /// `datetime.timezone`.
    TimeZone {
        /// Less than a day.
        offset: Delta,
        /// Its name, a str.
        name: Option<usize>,
    },
    /// `zoneinfo.ZoneInfo` of that key.
    ZoneInfo {
        /// The key, a str that names no other place.
        key: usize,
        /// Whether the object came from the cache (`ZoneInfo`) or not
        /// (`ZoneInfo.no_cache`).
        cached: bool,
    },
    /// `Decimal` of that text, known to be a literal.
    Decimal(usize),
    /// `Fraction` of the first two arguments; the second is above zero.
    Fraction,
    /// `Fraction` of the first argument's text: digits, or digits `/` digits.
    FractionText {
        /// Where the slash stands.
        slash: Option<usize>,
    },
    /// The value of a UUID.
    Uuid {
        /// Its 128 bits.
        value: u128,
        /// Its `is_safe`.
        safe: Safe,
    },
    /// `deque(items, maxlen)`.
    Deque {
        /// An exact list (or the empty tuple).
        items: Option<usize>,
        /// `maxlen`.
        maxlen: Option<u64>,
    },
    /// `defaultdict(factory)`.
    DefaultDict {
        /// A plain type of this policy.
        factory: Option<EntryId>,
    },
    /// `array(typecode, items)`; every item fits.
    ArrayItems {
        /// The type code.
        typecode: char,
        /// An exact list.
        items: usize,
    },
    /// `array(typecode)` filled from bytes, a whole number of items.
    ArrayBytes {
        /// The type code of the result.
        typecode: char,
        /// Whether every item must be byte-swapped.
        swap: bool,
        /// The bytes.
        data: usize,
    },
    /// A numpy dtype of numbers, or one that may become one of records.
    Dtype(Dtype),
    /// The state of such a dtype, which makes it that one.
    DtypeState(Dtype),
    /// An exact `ndarray` that waits for its state.
    Unfilled,
    /// Its state, a tuple: (1, shape, dtype, fortran, bytes).
    ArrayState {
        /// How many bytes there are.
        bytes: u64,
    },
    /// An array over the buffer that is the first argument, with the shape that is the third.
    FromBuffer {
        /// The dtype, the second argument.
        dtype: Dtype,
        /// How its items lie there.
        order: Order,
        /// How many bytes the shape takes.
        bytes: u64,
    },
    /// A numpy scalar of the dtype and the bytes that are the arguments.
    Scalar,
    /// The enum member with that value, looked up and never computed.
    EnumValue(usize),
    /// The member of that enum with the name in that argument.
    EnumName {
        /// The Enum.
        class: EntryId,
        /// Its member's name, a str.
        name: usize,
    },
    /// `a | b` of two members of that Flag, the two arguments.
    FlagOr {
        /// The Flag.
        class: EntryId,
    },
    /// `getattr` resolved: the value is that entry, mentioned.
    Attribute(EntryId),
    /// `getattr` resolved: the `__new__` of that entry. The value must be seen
    /// as [`View::Constructor`]; it has no other use than `functools.partial`.
    Constructor(EntryId),
    /// A `functools.partial` that waits for its state: a mere placeholder.
    Partial(EntryId),
    /// The state of such a placeholder, judged as `NEWOBJ_EX`: item 1 of the
    /// state tuple is `(cls, *args)`, item 2 the keywords. Calling the
    /// placeholder with no arguments makes the instance; nothing else may be
    /// done with it.
    PartialNew {
        /// The class.
        class: EntryId,
    },
    /// `copyreg._reconstructor(class, base, state)`.
    Reconstruct {
        /// The class; its `new` has been judged.
        class: EntryId,
        /// `object` or a plain builtin type.
        base: EntryId,
        /// The base's value, if the base is not `object`.
        state: Option<usize>,
    },
    /// `copyreg.__newobj__(class, *args)`; judged as NEWOBJ of the class.
    NewObj {
        /// The class.
        class: EntryId,
    },
    /// `copyreg.__newobj_ex__(class, args, kwargs)`; judged as `NEWOBJ_EX`.
    NewObjEx {
        /// The class.
        class: EntryId,
    },
}

impl Plan {
    /// Bytes that the plan copies or reads through, and that cost as much each time.
    #[inline]
    pub fn reads(self) -> u64 {
        match self {
            Plan::ArrayState { bytes } => bytes,
            Plan::FromBuffer { dtype, bytes, .. } if dtype.is_bool() => bytes,
            Plan::DtypeState(dtype) => dtype.copies(),
            _ => 0,
        }
    }
}
