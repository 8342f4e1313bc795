//! The `World` trait: what a value *is*.
//!
//! The machine knows opcodes, the stack and the memo; a world knows what they mean. One method for each thing that a
//! pickle can make. It is the only trait tower in the house, and it is monomorphised.

use super::Liveness;
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::stream::atoms::Short;

/// Where in the stream an instruction stands, and under which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Offset of the opcode from the start of the pickle.
    pub at: u64,
    /// Code of the opcode.
    pub code: u8,
    /// Protocol that PROTO declared; 0 without one.
    pub protocol: u8,
}

/// Where a string goes, as far as the stack shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Anywhere.
    Value,
    /// To a key position of the dict under the mark, if that is a dict.
    Key,
}

/// Results of a world.
pub type Made<W> = Result<<W as World>::Value, <W as World>::Fault>;
/// Results of a world that changes a value and makes none.
pub type Done<W> = Result<(), <W as World>::Fault>;

/// What a value is, what can be made, and what may be done with it.
///
/// Slices of values are handed over *by move*: the world takes what it keeps with [`std::mem::take`], and the machine
/// drops the rest. `Value::default()` is a hole: it is never on the stack when a world is called.
pub trait World {
    /// A value on the stack or in the memo.
    type Value: Default;
    /// What a method fails with.
    type Fault: From<Kind>;
    /// Whether text is known by its place in the stream, so that it may not be handed over as a copy.
    const KNOWS_PLACES: bool = false;
    /// Whether the machine keeps account of the memo slots that are fetched.
    const NOTES_FETCHES: bool = false;

    /// The memo slots that this stream fetches, if another run has found out.
    fn liveness(&mut self) -> Option<Liveness> {
        None
    }

    /// Whether a memo slot is empty.
    fn is_hole(value: &Self::Value) -> bool;
    /// A second reference to the same value, for the memo, GET and DUP.
    fn share(&mut self, value: &Self::Value) -> Self::Value;
    /// Whether the last call has taken every one of the items it was given, so that none is left to be dropped. Asked
    /// once behind each.
    #[inline(always)]
    fn took_all(&mut self) -> bool {
        false
    }
    /// Called every 65,536 instructions: signals, time.
    fn tick(&mut self) -> Done<Self> {
        Ok(())
    }

    /// `None`.
    fn none(&mut self) -> Self::Value;
    /// `True` or `False`.
    fn bool(&mut self, value: bool) -> Self::Value;
    /// An int of 64 bits.
    fn int(&mut self, value: i64) -> Made<Self>;
    /// An int from little-endian two's complement.
    fn long(&mut self, bytes: &[u8]) -> Made<Self>;
    /// An int from checked decimal digits.
    fn decimal(&mut self, digits: &[u8]) -> Made<Self>;
    /// A float.
    fn float(&mut self, value: f64) -> Made<Self>;
    /// A str from UTF-8 with surrogates let through; charges its own memory.
    fn unicode(&mut self, budget: &mut Budget, utf8: &[u8], role: Role) -> Made<Self>;
    /// As [`World::int`]; a hole where that fails, and then the method itself is asked, which has the reason. So with the
    /// other quick ones.
    #[inline(always)]
    fn quick_int(&mut self, value: i64) -> Self::Value {
        self.int(value).unwrap_or_default()
    }
    /// As [`World::float`].
    #[inline(always)]
    fn quick_float(&mut self, value: f64) -> Self::Value {
        self.float(value).unwrap_or_default()
    }
    /// As [`World::unicode`].
    #[inline(always)]
    fn quick_unicode(&mut self, budget: &mut Budget, utf8: &[u8], role: Role) -> Self::Value {
        self.unicode(budget, utf8, role).unwrap_or_default()
    }
    /// As [`World::unicode`], of up to 15 bytes.
    #[inline(always)]
    fn quick_short(&mut self, budget: &mut Budget, text: Short, role: Role) -> Self::Value {
        self.quick_unicode(budget, text.bytes(), role)
    }
    /// As [`World::bytes`].
    #[inline(always)]
    fn quick_bytes(&mut self, bytes: &[u8]) -> Self::Value {
        self.bytes(bytes).unwrap_or_default()
    }
    /// A Python 2 `str`, decoded as the caller's `encoding` and `errors` say.
    fn string(&mut self, budget: &mut Budget, bytes: &[u8]) -> Made<Self>;
    /// A bytes object.
    fn bytes(&mut self, bytes: &[u8]) -> Made<Self>;
    /// A bytearray.
    fn bytearray(&mut self, bytes: &[u8]) -> Made<Self>;

    /// A tuple of the items.
    fn tuple(&mut self, budget: &mut Budget, items: &mut [Self::Value]) -> Made<Self>;
    /// A list of the items.
    fn list(&mut self, budget: &mut Budget, items: &mut [Self::Value]) -> Made<Self>;
    /// A dict of alternating keys and values.
    fn dict(&mut self, budget: &mut Budget, pairs: &mut [Self::Value]) -> Made<Self>;
    /// An empty set.
    fn set(&mut self) -> Made<Self>;
    /// A frozenset of the items.
    fn frozenset(&mut self, budget: &mut Budget, items: &mut [Self::Value]) -> Made<Self>;

    /// APPEND, APPENDS.
    fn extend(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Self::Value,
        items: &mut [Self::Value],
    ) -> Done<Self>;
    /// SETITEM, SETITEMS: alternating keys and values.
    fn set_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Self::Value,
        pairs: &mut [Self::Value],
    ) -> Done<Self>;
    /// ADDITEMS.
    fn add_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Self::Value,
        items: &mut [Self::Value],
    ) -> Done<Self>;

    /// GLOBAL, and the class of INST: the names as the stream spells them.
    fn global(&mut self, site: Site, module: &str, name: &str) -> Made<Self>;
    /// `STACK_GLOBAL`: module and name from the stack.
    fn stack_global(&mut self, site: Site, module: Self::Value, name: Self::Value) -> Made<Self>;
    /// EXT1, EXT2, EXT4.
    fn extension(&mut self, site: Site, code: u32) -> Made<Self>;

    /// REDUCE: call with a tuple of arguments.
    fn reduce(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Self::Value,
        args: Self::Value,
    ) -> Made<Self>;
    /// REDUCE whose tuple nothing else can reach: the arguments straight from the stack. Whether the result is alone:
    /// nothing fetches it from the memo, and a MARK stands above it next.
    fn reduce_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Self::Value,
        args: &mut [Self::Value],
        alone: impl Fn() -> bool,
    ) -> Made<Self> {
        let _ = alone;
        let args = self.tuple(budget, args)?;
        self.reduce(site, budget, callable, args)
    }
    /// NEWOBJ: `cls.__new__(cls, *args)`.
    fn newobj(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Self::Value,
        args: Self::Value,
    ) -> Made<Self>;
    /// NEWOBJ whose tuple nothing else can reach.
    fn newobj_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Self::Value,
        args: &mut [Self::Value],
    ) -> Made<Self> {
        let args = self.tuple(budget, args)?;
        self.newobj(site, budget, class, args)
    }
    /// `NEWOBJ_EX`: `cls.__new__(cls, *args, **kwargs)`.
    fn newobj_ex(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Self::Value,
        args: Self::Value,
        kwargs: Self::Value,
    ) -> Made<Self>;
    /// INST and OBJ: a Python 2 instance, or a call where there are arguments.
    fn instance(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Self::Value,
        args: &mut [Self::Value],
    ) -> Made<Self>;
    /// BUILD.
    fn build(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Self::Value,
        state: Self::Value,
    ) -> Done<Self>;
    /// BUILD whose state is a tuple that nothing else can reach: its items straight from the stack.
    fn build_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Self::Value,
        items: &mut [Self::Value],
    ) -> Done<Self> {
        let state = self.tuple(budget, items)?;
        self.build(site, budget, object, state)
    }
    /// Whether a value is a dict that SETITEM may fill, so that the string above it is a key.
    fn is_dict(value: &Self::Value) -> bool {
        let _ = value;
        false
    }
    /// Whether a value is `None`.
    fn is_none(value: &Self::Value) -> bool {
        let _ = value;
        false
    }
    /// Whether [`World::build_attributes`] will take this instance's state, as attributes or as slots.
    fn takes_attributes(&mut self, object: &Self::Value, slots: bool) -> bool {
        let _ = (object, slots);
        false
    }
    /// BUILD whose state is a dict that nothing else can reach: alternating names and values, for `__dict__` or, where
    /// `slots`, for slots.
    fn build_attributes(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Self::Value,
        pairs: &mut [Self::Value],
        slots: bool,
    ) -> Done<Self> {
        let _ = slots;
        let state = self.dict(budget, pairs)?;
        self.build(site, budget, object, state)
    }

    /// How many bytes after BUILD are no opcodes: joblib writes arrays there. `behind` is what follows in the stream,
    /// or `None` inside a frame. Pickle knows no such bytes, and neither does any world but the inspector's.
    #[inline(always)]
    fn raw_bytes(
        &mut self,
        budget: &mut Budget,
        built: &Self::Value,
        behind: Option<&[u8]>,
    ) -> Result<usize, Self::Fault> {
        let _ = (budget, built, behind);
        Ok(0)
    }

    /// PERSID, BINPERSID.
    fn persistent(&mut self, site: Site, id: Self::Value) -> Made<Self>;
    /// `NEXT_BUFFER`.
    fn next_buffer(&mut self, site: Site) -> Made<Self>;
    /// `READONLY_BUFFER`.
    fn readonly_buffer(&mut self, site: Site, buffer: Self::Value) -> Made<Self>;
}
