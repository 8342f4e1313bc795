//! What a contract can see of a value, in any world. The loader and the
//! inspector implement [`Look`]; the policy sees nothing else of them.

use super::EntryId;
use super::numpy::Known;

/// One value, seen from outside.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum View<'a> {
    /// `None`.
    None,
    /// An exact `bool`.
    Bool(bool),
    /// An exact `int` that fits 64 bits.
    Int(i64),
    /// An exact `int` that does not.
    BigInt {
        /// Bits of its magnitude.
        bits: u64,
        /// Whether it is below zero.
        negative: bool,
    },
    /// An exact `float`.
    Float(f64),
    /// An exact `complex`.
    Complex,
    /// An exact `str`.
    Str(&'a str),
    /// An exact `str` with lone surrogates.
    SurrogateStr,
    /// Exact `bytes`.
    Bytes(&'a [u8]),
    /// An exact `bytearray` and its length.
    ByteArray(usize),
    /// An exact `tuple` and its length.
    Tuple(usize),
    /// An exact `list` and its length.
    List(usize),
    /// An exact `dict` and its length.
    Dict(usize),
    /// An exact `set` and its length.
    Set(usize),
    /// An exact `frozenset` and its length.
    FrozenSet(usize),
    /// A name of this policy, mentioned and not called.
    Global(EntryId),
    /// The `__new__` of a name of this policy, reached by the `getattr`
    /// pattern ([`Plan::Constructor`](super::Plan::Constructor)).
    Constructor(EntryId),
    /// An instance that this stream made through that entry.
    Made(EntryId),
    /// A persistent id's object or an out-of-band buffer.
    External,
    /// Anything else.
    Other,
}

/// What kind of value it is, and nothing of its content: most contracts ask no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `None`.
    None,
    /// An exact `bool`.
    Bool,
    /// An exact `int` of any size.
    Int,
    /// An exact `float`.
    Float,
    /// An exact `complex`.
    Complex,
    /// An exact `str`, lone surrogates or not.
    Str,
    /// Exact `bytes`.
    Bytes,
    /// An exact `bytearray`.
    ByteArray,
    /// An exact `tuple`.
    Tuple,
    /// An exact `list`.
    List,
    /// An exact `dict`.
    Dict,
    /// An exact `set`.
    Set,
    /// An exact `frozenset`.
    FrozenSet,
    /// A name of this policy.
    Global,
    /// An instance that this stream made.
    Made,
    /// Anything else.
    Other,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 16] = [
        Form::None,
        Form::Bool,
        Form::Int,
        Form::Float,
        Form::Complex,
        Form::Str,
        Form::Bytes,
        Form::ByteArray,
        Form::Tuple,
        Form::List,
        Form::Dict,
        Form::Set,
        Form::FrozenSet,
        Form::Global,
        Form::Made,
        Form::Other,
    ];

    /// A bit of its own.
    #[inline(always)]
    pub fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// How a world shows its values to a contract.
pub trait Look {
    /// A value of this world.
    type Value: Clone;

    /// The kind of the value: that of [`Look::view`], where that costs more.
    fn form(&self, v: &Self::Value) -> Form {
        self.view(v).form()
    }

    /// The value seen from outside.
    fn view<'v>(&'v self, v: &'v Self::Value) -> View<'v>;

    /// An item of an exact tuple or list.
    fn item(&self, v: &Self::Value, index: usize) -> Option<Self::Value>;

    /// The pairs of an exact dict.
    fn pairs(&self, v: &Self::Value) -> Vec<(Self::Value, Self::Value)>;

    /// Whether `test` holds for every item of a tuple, list, set or frozenset,
    /// or every key and value of a dict. Not nested.
    fn all(&self, v: &Self::Value, test: &mut dyn FnMut(View<'_>) -> bool) -> bool;

    /// As [`Look::all`], of forms.
    fn all_forms(&self, v: &Self::Value, test: &mut dyn FnMut(Form) -> bool) -> bool {
        self.all(v, &mut |view| test(view.form()))
    }

    /// Days, seconds and microseconds of an exact `datetime.timedelta` made by
    /// this stream.
    fn timedelta(&self, v: &Self::Value) -> Option<(i32, i32, i32)>;

    /// Whether `v` is a known value of that Enum, or within the mask of that
    /// Flag. `None`: the class is not resolved yet.
    fn enum_value(&self, entry: EntryId, v: &Self::Value) -> Option<bool>;

    /// Whether that Enum has a member called `name`. `None`: the class is not
    /// resolved yet.
    fn enum_name(&self, entry: EntryId, name: &str) -> Option<bool> {
        let _ = (entry, name);
        None
    }

    /// Whether `v` is an exact str whose characters are all below 256.
    fn is_latin1(&self, v: &Self::Value) -> bool {
        let narrow = |c| u32::from(c) < 0x100;
        matches!(self.view(v), View::Str(text) if text.is_ascii() || text.chars().all(narrow))
    }

    /// What is known of an instance that this stream made under a contract of numpy's.
    fn known(&self, v: &Self::Value) -> Option<Known>;

    /// The bytes in exact bytes, or in a bytearray as it is now.
    fn octets<'v>(&'v self, v: &'v Self::Value) -> Option<&'v [u8]>;

    /// An exact non-negative int below 2**128.
    fn u128(&self, v: &Self::Value) -> Option<u128>;
}

impl View<'_> {
    /// The kind of value, without its content.
    pub fn form(self) -> Form {
        match self {
            View::None => Form::None,
            View::Bool(_) => Form::Bool,
            View::Int(_) | View::BigInt { .. } => Form::Int,
            View::Float(_) => Form::Float,
            View::Complex => Form::Complex,
            View::Str(_) | View::SurrogateStr => Form::Str,
            View::Bytes(_) => Form::Bytes,
            View::ByteArray(_) => Form::ByteArray,
            View::Tuple(_) => Form::Tuple,
            View::List(_) => Form::List,
            View::Dict(_) => Form::Dict,
            View::Set(_) => Form::Set,
            View::FrozenSet(_) => Form::FrozenSet,
            View::Global(_) => Form::Global,
            View::Made(_) => Form::Made,
            View::Constructor(_) | View::External | View::Other => Form::Other,
        }
    }

    /// What the value is, for messages: never its content, except a name's.
    pub fn describe(self) -> String {
        match self {
            View::None => "None".into(),
            View::Bool(_) => "a bool".into(),
            View::Int(_) => "an int".into(),
            View::BigInt { bits, .. } => format!("an int of {bits} bits"),
            View::Float(_) => "a float".into(),
            View::Complex => "a complex".into(),
            View::Str(text) => format!("a str of {} characters", text.chars().count()),
            View::SurrogateStr => "a str with lone surrogates".into(),
            View::Bytes(bytes) => format!("bytes of length {}", bytes.len()),
            View::ByteArray(len) => format!("a bytearray of length {len}"),
            View::Tuple(len) => format!("a tuple of {len}"),
            View::List(len) => format!("a list of {len}"),
            View::Dict(len) => format!("a dict of {len}"),
            View::Set(len) => format!("a set of {len}"),
            View::FrozenSet(len) => format!("a frozenset of {len}"),
            View::Global(_) => "a class or function".into(),
            View::Constructor(_) => "a __new__ method".into(),
            View::Made(_) => "an instance".into(),
            View::External => "an external object".into(),
            View::Other => "an object".into(),
        }
    }
}

/// The shape of a whole argument list, for messages.
pub(super) fn describe_all<L: Look>(look: &L, args: &[L::Value]) -> String {
    const SHOWN: usize = 6;
    let mut out = String::from("(");
    for (index, arg) in args.iter().take(SHOWN).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(&look.view(arg).describe());
    }
    if args.len() > SHOWN {
        out.push_str(", …");
    }
    out.push(')');
    out
}
