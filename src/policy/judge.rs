//! The one place where permission is decided. What is attempted comes in as an
//! [`Attempt`], what may happen goes out as a [`Plan`], everything else is a
//! [`Refusal`]; the default arm refuses.

use super::Policy;
use super::capability::{Entry, EntryId, Fields, Grant, Meaning, Rights};
use super::contract;
use super::view::{Look, View};

/// What a stream tries to do with an entry.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<'a, V> {
    /// Name it.
    Mention,
    /// Call it with these arguments.
    Call(&'a [V]),
    /// `cls.__new__(cls, *args)`.
    New(&'a [V]),
    /// `cls.__new__(cls, *args, **kwargs)`; keywords flattened key, value.
    NewEx(&'a [V], &'a [V]),
    /// Give an instance this state.
    State(&'a V),
    /// Append to an instance.
    Append,
    /// Fill an instance by key.
    Items,
    /// Add to an instance.
    Add,
}

impl<V> Attempt<'_, V> {
    /// The attempt as a past participle, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Attempt::Mention => "mentioned",
            Attempt::Call(_) => "called",
            Attempt::New(_) | Attempt::NewEx(..) => "instantiated",
            Attempt::State(_) => "given state",
            Attempt::Append => "appended to",
            Attempt::Items => "filled by key",
            Attempt::Add => "added to",
        }
    }

    fn right(&self) -> Rights {
        match self {
            Attempt::Mention => Rights::REFERENCE,
            Attempt::Call(_) => Rights::CALL,
            Attempt::New(_) | Attempt::NewEx(..) => Rights::NEW,
            Attempt::State(_) => Rights::STATE,
            Attempt::Append => Rights::APPEND,
            Attempt::Items => Rights::ITEMS,
            Attempt::Add => Rights::ADD,
        }
    }
}

/// Why an attempt is not allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("may not be {attempt}: {why}")]
pub struct Refusal {
    /// What was attempted: "called", "given state", …
    pub attempt: &'static str,
    /// The rule that it breaks.
    pub why: String,
}

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
    /// `datetime.date`, a real day.
    Date {
        /// 1 to 9999.
        year: i32,
        /// 1 to 12.
        month: u8,
        /// 1 to the last day of that month.
        day: u8,
    },
    /// `datetime.time`, in range.
    Time {
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
        /// 0 to 59.
        second: u8,
        /// 0 to 999,999.
        microsecond: u32,
        /// The second of two equal wall times.
        fold: bool,
        /// The tzinfo.
        tz: Option<usize>,
    },
    /// `datetime.datetime`, in range.
    DateTime {
        /// 1 to 9999.
        year: i32,
        /// 1 to 12.
        month: u8,
        /// 1 to the last day of that month.
        day: u8,
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
        /// 0 to 59.
        second: u8,
        /// 0 to 999,999.
        microsecond: u32,
        /// The second of two equal wall times.
        fold: bool,
        /// The tzinfo.
        tz: Option<usize>,
    },
    /// `datetime.timedelta`, normalised.
    TimeDelta {
        /// Within 999,999,999 of zero.
        days: i32,
        /// 0 to 86,399.
        seconds: i32,
        /// 0 to 999,999.
        microseconds: i32,
    },
    /// `datetime.timezone`, less than a day from UTC.
    TimeZone {
        /// -1 or 0.
        days: i32,
        /// 0 to 86,399.
        seconds: i32,
        /// 0 to 999,999.
        microseconds: i32,
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
    /// `array(typecode, text)`, the text decoded from bytes known to be valid.
    ArrayText {
        /// The type code.
        typecode: char,
        /// Bytes of a code unit, 2 or 4.
        width: u8,
        /// Whether the units are big-endian.
        big_endian: bool,
        /// The bytes.
        data: usize,
    },
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

impl Policy {
    /// The decision. Every capability is asked here and nowhere else.
    ///
    /// Under [`Policy::unrestricted`] nothing is refused.
    pub fn judge<L: Look>(
        &self,
        look: &L,
        entry: EntryId,
        attempt: Attempt<'_, L::Value>,
    ) -> Result<Plan, Refusal> {
        if self.is_unrestricted() {
            return Ok(Plan::AsIs);
        }
        let name = attempt.describe();
        self.decide(look, entry, attempt)
            .map_err(|why| Refusal { attempt: name, why })
    }

    pub(super) fn decide<L: Look>(
        &self,
        look: &L,
        id: EntryId,
        attempt: Attempt<'_, L::Value>,
    ) -> Result<Plan, String> {
        let Some(entry) = self.get(id) else {
            return Err("it is no entry of this policy".into());
        };
        match (entry.meaning, &attempt) {
            (Meaning::Scope, Attempt::Mention) => Ok(Plan::CalleeOnly),
            (Meaning::Scope, _) => Err(scope_why(entry)),
            (Meaning::Object | Meaning::Native(_), Attempt::Mention) => {
                if stands(entry) {
                    Ok(Plan::AsIs)
                } else {
                    Ok(Plan::CalleeOnly)
                }
            }
            (Meaning::Native(native), _) => {
                let rights = entry.grant().map_or(Rights::NONE, |grant| grant.rights);
                demand(entry, rights, &attempt)?;
                contract::judge(self, look, id, native, attempt)
            }
            (Meaning::Object, _) => match entry.grant() {
                Some(grant) => judge_object(look, entry, grant, &attempt),
                None => judge_object(look, entry, &Grant::provisional(), &attempt),
            },
        }
    }

    /// Whether a mentioned name may stand as a value: in the result, in a
    /// container, in a state.
    pub fn may_stand(&self, entry: EntryId) -> Result<(), Refusal> {
        if self.is_unrestricted() {
            return Ok(());
        }
        let why = match self.get(entry) {
            Some(entry) if stands(entry) => return Ok(()),
            Some(entry) if entry.meaning == Meaning::Scope => scope_why(entry),
            Some(_) => "it may be called and is no value".into(),
            None => "it is no entry of this policy".into(),
        };
        Err(Refusal {
            attempt: "mentioned",
            why,
        })
    }

    /// Whether BUILD may set that key on an instance of that entry. To be asked
    /// wherever state is set key by key; a class with a `__setstate__` of its
    /// own is judged by [`Attempt::State`].
    pub fn may_set(&self, entry: EntryId, key: &str) -> Result<(), Refusal> {
        if self.is_unrestricted() {
            return Ok(());
        }
        let provisional = Fields::Any;
        let outcome = match self.get(entry) {
            None => Err("it is no entry of this policy".into()),
            Some(entry) => match entry.grant() {
                Some(grant) if !grant.rights.contains(Rights::STATE) => {
                    Err(lacks(entry, grant.rights))
                }
                Some(grant) => may_set_field(&grant.fields, key),
                None if entry.meaning == Meaning::Object => may_set_field(&provisional, key),
                None => Err(scope_why(entry)),
            },
        };
        outcome.map_err(|why| Refusal {
            attempt: "given state",
            why,
        })
    }
}

fn stands(entry: &Entry) -> bool {
    match entry.meaning {
        Meaning::Scope => false,
        Meaning::Native(_) | Meaning::Object => entry
            .grant()
            .is_none_or(|grant| grant.rights.contains(Rights::REFERENCE)),
    }
}

fn scope_why(entry: &Entry) -> String {
    format!(
        "the policy allows only names inside it, not {} itself",
        entry.path()
    )
}

fn lacks(entry: &Entry, rights: Rights) -> String {
    let rights: Vec<_> = rights.iter().collect();
    if rights.is_empty() {
        format!("{} is granted nothing", entry.path())
    } else {
        format!("{} is granted only: {}", entry.path(), rights.join(", "))
    }
}

fn demand<V>(entry: &Entry, rights: Rights, attempt: &Attempt<'_, V>) -> Result<(), String> {
    if rights.contains(attempt.right()) {
        Ok(())
    } else {
        Err(lacks(entry, rights))
    }
}

fn judge_object<L: Look>(
    look: &L,
    entry: &Entry,
    grant: &Grant,
    attempt: &Attempt<'_, L::Value>,
) -> Result<Plan, String> {
    demand(entry, grant.rights, attempt)?;
    match attempt {
        Attempt::Call(args) => grant.call.check(look, args, &[])?,
        Attempt::New(args) => grant.new.check(look, args, &[])?,
        Attempt::NewEx(args, kwargs) => grant.new.check(look, args, kwargs)?,
        Attempt::State(state) => check_state(look, &grant.fields, state)?,
        Attempt::Mention | Attempt::Append | Attempt::Items | Attempt::Add => {}
    }
    Ok(Plan::AsIs)
}

/// State as `object.__setstate__` would take it: None, a dict, or a pair of
/// those, the second for slots.
pub(super) fn check_state<L: Look>(
    look: &L,
    fields: &Fields,
    state: &L::Value,
) -> Result<(), String> {
    if *fields == Fields::Setstate {
        return Ok(());
    }
    match look.view(state) {
        View::Tuple(2) => {
            for index in 0..2 {
                let Some(part) = look.item(state, index) else {
                    return Err("its state is a tuple whose items cannot be seen".into());
                };
                check_keys(look, fields, &part)?;
            }
            Ok(())
        }
        _ => check_keys(look, fields, state),
    }
}

fn check_keys<L: Look>(look: &L, fields: &Fields, state: &L::Value) -> Result<(), String> {
    match look.view(state) {
        View::None => Ok(()),
        View::Dict(_) => {
            for (key, _) in look.pairs(state) {
                match look.view(&key) {
                    View::Str(key) => may_set_field(fields, key)?,
                    other => return Err(format!("a key of its state is {}", other.describe())),
                }
            }
            Ok(())
        }
        other => Err(format!(
            "its state must be a dict or None, not {}",
            other.describe()
        )),
    }
}

fn may_set_field(fields: &Fields, key: &str) -> Result<(), String> {
    if is_dunder(key) {
        return Err(format!("state may not set the dunder name {key:?}"));
    }
    let allowed = match fields {
        Fields::Any | Fields::Setstate => true,
        Fields::Only(names) => names.contains(key),
        Fields::Except(names) => !names.contains(key),
    };
    if allowed {
        Ok(())
    } else {
        Err(format!("state may not set {key:?}"))
    }
}

/// `__name__`: a name that the interpreter gives a meaning to.
pub(super) fn is_dunder(key: &str) -> bool {
    key.len() > 4 && key.starts_with("__") && key.ends_with("__")
}
