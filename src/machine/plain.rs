//! Plain data: a loop of its own for the instructions that most streams are made of.
//!
//! Its cursor is a slice in two registers, where [`Reader`] has six words in memory, and its arms have no branches that
//! depend on what cannot be foreseen: the width of an int, the length of a short text. What is rare, or cannot be done here
//! for whatever reason, is left untouched to the loop of all opcodes, which does it or says why not. 1.4 times as fast on
//! ints and records, 1.3 on strings and sets.

use super::budget::size;
use super::world::{Done, Site, World};
use super::{HIGHEST_PROTOCOL, Machine};
use crate::stream::Reader;
use crate::stream::atoms::{self, Read, Short};
use crate::stream::opcode::{
    APPEND, APPENDS, BINFLOAT, BINGET, BININT, BININT1, BININT2, BINPUT, BINUNICODE, EMPTY_DICT,
    EMPTY_LIST, LONG_BINGET, LONG_BINPUT, MARK, MEMOIZE, NEWFALSE, NEWOBJ, NEWTRUE, NONE, REDUCE,
    SETITEM, SETITEMS, SHORT_BINBYTES, SHORT_BINUNICODE, STOP, TUPLE1, TUPLE2, TUPLE3,
};

/// Where a run of plain data has come to.
struct Stand<'a, F> {
    /// What has not been executed.
    rest: &'a [u8],
    ticks: u32,
    /// Why the first instruction of it failed, if it was tried.
    done: Result<(), F>,
}

impl<V: Default> Machine<V> {
    /// Executes the PROTO and the FRAME that a stream begins with, and the plain data behind them: small pickles are
    /// mostly nothing else, and need not enter the loop of all opcodes. Returns the value if STOP is
    /// next; if not, [`Machine::run`] goes on from where the reader then is.
    #[inline(always)]
    pub fn run_opening<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Result<Option<V>, W::Fault> {
        if let Some(version) = reader.open(HIGHEST_PROTOCOL) {
            self.protocol = version;
        }
        let mut ticks = self.ticks;
        let done = self.go_plain(world, reader, &mut ticks);
        self.ticks = ticks;
        done?;
        if let [STOP, ..] = reader.rest()
            && self.stack.len() > self.floor
        {
            reader.next_fused();
            return Ok(self.stack.pop());
        }
        Ok(None)
    }

    /// Executes plain data up to the next instruction that is something else. `ticks` never gets down to 0 here.
    #[inline(always)]
    pub(super) fn run_plain<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        ticks: &mut u32,
    ) -> Done<W> {
        match reader.rest() {
            // Once there are instances a dict may be their state, which need not be made.
            [EMPTY_DICT, ..] if self.liveness.is_some() => return Ok(()),
            [code, ..] if is_plain(*code) => {}
            _ => return Ok(()),
        }
        self.go_plain(world, reader, ticks)
    }

    /// Executes plain data. The reader is behind it then, or stands at the instruction that failed.
    #[inline(always)]
    fn go_plain<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        ticks: &mut u32,
    ) -> Done<W> {
        let stand = self.plain(world, reader.rest(), reader.origin(), *ticks);
        reader.go_to(stand.rest);
        *ticks = stand.ticks;
        if stand.done.is_err() {
            reader.stand();
        }
        stand.done
    }

    #[inline(never)]
    fn plain<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        mut rest: &'a [u8],
        origin: u64,
        mut ticks: u32,
    ) -> Stand<'a, W::Fault> {
        let mut done = Ok(());
        while ticks > 1
            && let Some((code, operand)) = rest.split_first()
        {
            let (value, behind) = match *code {
                BININT | BININT1 | BININT2 => self.int_atom(world, atoms::int(*code, operand)),
                BINFLOAT => self.float_atom(world, atoms::float8(operand)),
                NONE => (world.none(), operand),
                NEWTRUE | NEWFALSE => (world.bool(*code == NEWTRUE), operand),
                BINGET | LONG_BINGET => self.get_atom(world, atoms::index(*code, operand)),
                SHORT_BINUNICODE => match atoms::short(operand) {
                    Some(text) if !W::KNOWS_PLACES => self.short_atom(world, text),
                    _ => self.unicode_atom(world, atoms::bytes1(operand)),
                },
                BINUNICODE => self.unicode_atom(world, atoms::bytes4(operand)),
                SHORT_BINBYTES => self.bytes_atom(world, atoms::bytes1(operand)),
                EMPTY_LIST => self.empty_list(world, operand),
                EMPTY_DICT => self.empty_dict(world, operand),
                TUPLE1 | TUPLE2 | TUPLE3 if !calls(operand) => {
                    let Ok(from) = self.top(usize::from(*code - TUPLE1) + 1) else {
                        break;
                    };
                    match self.make_tuple(world, from) {
                        Ok(tuple) => self.put(world, tuple, operand),
                        Err(fault) => {
                            done = Err(fault);
                            break;
                        }
                    }
                }
                _ => {
                    done = match *code {
                        MARK if !atoms::gets_follow(operand) => self.load_mark(),
                        APPEND | APPENDS | SETITEM | SETITEMS if !self.defers() => {
                            let site = Site {
                                at: origin.wrapping_add(rest.as_ptr().addr() as u64),
                                code: *code,
                                protocol: self.protocol,
                            };
                            self.fill(world, site)
                        }
                        _ => break,
                    };
                    if done.is_err() {
                        break;
                    }
                    rest = operand;
                    ticks -= 1;
                    continue;
                }
            };
            if W::is_hole(&value) {
                break;
            }
            self.push(value);
            rest = behind;
            ticks -= 1;
        }
        Stand { rest, ticks, done }
    }

    /// Executes MARK and at least four BINGET behind it, as a list of few different values is written: members of an enum,
    /// flags. What the loop of plain data must keep in memory is in registers here: 1.5 times as fast. That loop only
    /// leaves them to this one: with one more way in it, it has no register for the cursor (a fifth slower on strings).
    #[inline(always)]
    pub(super) fn run_gets<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        ticks: &mut u32,
    ) -> bool {
        let [MARK, rest @ ..] = reader.rest() else {
            return false;
        };
        if *ticks <= 1 || !atoms::gets_follow(rest) {
            return false;
        }
        let gets = self.marked_gets(world, rest, *ticks - 1);
        reader.go_to(rest.get(2 * gets as usize..).unwrap_or_default());
        *ticks -= gets;
        true
    }

    /// How many there were, fewer than `most`.
    #[inline(never)]
    fn marked_gets<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        mut rest: &[u8],
        most: u32,
    ) -> u32 {
        self.mark();
        let mut gets = 0;
        let Self { stack, memo, .. } = self;
        stack.extend(std::iter::from_fn(|| {
            let [BINGET, index, behind @ ..] = rest else {
                return None;
            };
            let value = memo.get(i64::from(*index))?;
            if gets + 1 >= most || W::is_hole(value) {
                return None;
            }
            rest = behind;
            gets += 1;
            Some(world.share(value))
        }));
        gets
    }

    /// Whether a state dict was put off, whose items an opcode might take.
    #[inline(always)]
    fn defers(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// APPEND, APPENDS, SETITEM, SETITEMS. A function of its own, to leave the loop its registers.
    #[inline(never)]
    fn fill<W: World<Value = V>>(&mut self, world: &mut W, site: Site) -> Done<W> {
        match site.code {
            APPEND => self.load_append(world, site),
            APPENDS => self.load_appends(world, site),
            SETITEM => self.load_setitem(world, site),
            _ => {
                let from = self.pop_mark()?;
                self.set_items(world, site, from)
            }
        }
    }

    #[inline(always)]
    fn empty_list<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        rest: &'a [u8],
    ) -> (V, &'a [u8]) {
        if !self.budget.took(size::LIST) {
            return (V::default(), rest);
        }
        let list = world.list(&mut self.budget, &mut []);
        self.put(world, list.unwrap_or_default(), rest)
    }

    #[inline(always)]
    fn empty_dict<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        rest: &'a [u8],
    ) -> (V, &'a [u8]) {
        if self.liveness.is_some() || !self.budget.took(size::DICT) {
            return (V::default(), rest);
        }
        let dict = world.dict(&mut self.budget, &mut []);
        self.put(world, dict.unwrap_or_default(), rest)
    }

    /// A value that may be memoized, and what follows that.
    #[inline(always)]
    fn put<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        value: V,
        rest: &'a [u8],
    ) -> (V, &'a [u8]) {
        let rest = self.memoized(world, &value, rest);
        (value, rest)
    }

    #[inline(always)]
    fn int_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        operand: Read<'a, i64>,
    ) -> (V, &'a [u8]) {
        match operand {
            Some((value, rest)) if self.budget.took(size::INT) => (world.quick_int(value), rest),
            _ => (V::default(), &[]),
        }
    }

    #[inline(always)]
    fn float_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        operand: Read<'a, f64>,
    ) -> (V, &'a [u8]) {
        match operand {
            Some((value, rest)) if self.budget.took(size::FLOAT) => {
                (world.quick_float(value), rest)
            }
            _ => (V::default(), &[]),
        }
    }

    #[inline(always)]
    fn get_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        operand: Read<'a, i64>,
    ) -> (V, &'a [u8]) {
        if let Some((index, rest)) = operand
            && let Some(value) = self.memo.get(index)
        {
            return (world.share(value), rest);
        }
        (V::default(), &[])
    }

    #[inline(always)]
    fn short_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        (text, rest): (Short, &'a [u8]),
    ) -> (V, &'a [u8]) {
        let role = self.role::<W>();
        let value = world.quick_short(&mut self.budget, text, role);
        self.put(world, value, rest)
    }

    #[inline(always)]
    fn unicode_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        operand: Read<'a, &'a [u8]>,
    ) -> (V, &'a [u8]) {
        let Some((utf8, rest)) = operand else {
            return (V::default(), &[]);
        };
        let role = self.role::<W>();
        let value = world.quick_unicode(&mut self.budget, utf8, role);
        self.put(world, value, rest)
    }

    #[inline(always)]
    fn bytes_atom<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        operand: Read<'a, &'a [u8]>,
    ) -> (V, &'a [u8]) {
        match operand {
            Some((bytes, rest)) if self.budget.took(size::BYTES + bytes.len() as u64) => {
                let value = world.quick_bytes(bytes);
                self.put(world, value, rest)
            }
            _ => (V::default(), &[]),
        }
    }

    /// A pickler memoizes a str at once: what follows that. Where the slot is not the next one, it is left to be read.
    #[inline(always)]
    fn memoized<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        value: &V,
        rest: &'a [u8],
    ) -> &'a [u8] {
        let next = self.memo.len();
        let Some((slot, behind)) = atoms::put(rest, next) else {
            return rest;
        };
        if W::is_hole(value) {
            return rest;
        }
        if self.memo.in_order() {
            if slot != next || !self.budget.took(size::REFERENCE) {
                return rest;
            }
            let copy = world.share(value);
            self.memo.push_next(copy);
            return behind;
        }
        if !self.is_dead(slot) || !self.budget.took(size::REFERENCE) {
            return rest;
        }
        if let [MEMOIZE, ..] = rest {
            self.memo.skip();
        }
        behind
    }
}

/// Whether an instruction of this code may be plain data.
#[inline(always)]
fn is_plain(code: u8) -> bool {
    atoms::is_atom(code)
        || matches!(
            code,
            EMPTY_LIST
                | EMPTY_DICT
                | TUPLE1
                | TUPLE2
                | TUPLE3
                | MARK
                | APPEND
                | APPENDS
                | SETITEM
                | SETITEMS
        )
}

/// Whether a tuple is made to be called with: then it need not be made.
#[inline(always)]
fn calls(rest: &[u8]) -> bool {
    matches!(
        rest,
        [REDUCE | NEWOBJ, ..]
            | [MEMOIZE, REDUCE | NEWOBJ, ..]
            | [BINPUT, _, REDUCE | NEWOBJ, ..]
            | [LONG_BINPUT, _, _, _, _, REDUCE | NEWOBJ, ..]
    )
}
