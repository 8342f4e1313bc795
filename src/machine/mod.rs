//! The pickle machine: one match, one arm, one line, one handler per opcode.
//!
//! Owns the stack, the marks, the memo and the budget. Knows nothing of Python and nothing of policies: what a value
//! is, and what may be done with it, is its [`World`]'s. No recursion on data depth, and no allocation from a length
//! that the stream declares.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod budget;
pub mod hashing;
pub mod memo;
pub mod world;

use crate::error::{Error, Kind};
use crate::stream::{Op, Reader, opcode, text};
use budget::{Budget, size};
use memo::Memo;
use world::{Done, Role, Site, World};

/// Instructions between two calls of [`World::tick`].
const TICK: u32 = 1 << 16;

/// Why a run stopped before STOP.
#[derive(Debug)]
pub enum Failure<F> {
    /// The bytes are at fault; nothing was executed for them, so a truncated stream may go on when more is here.
    Stream(Box<Error>),
    /// An instruction failed.
    World {
        /// What the world says.
        fault: F,
        /// Offset of the opcode.
        at: u64,
        /// Name of the opcode.
        opcode: Option<&'static str>,
    },
}

/// A pickle machine over a world.
pub struct Machine<W: World> {
    stack: Vec<W::Value>,
    marks: Vec<usize>,
    /// Height of the stack at the last mark: nothing below it can be popped.
    floor: usize,
    memo: Memo<W::Value>,
    budget: Budget,
    protocol: u8,
}

impl<W: World> Machine<W> {
    /// A machine with an empty memo.
    pub fn new(budget: Budget) -> Self {
        Self {
            stack: Vec::new(),
            marks: Vec::new(),
            floor: 0,
            memo: Memo::default(),
            budget,
            protocol: 0,
        }
    }

    /// Makes ready for another pickle; the memo stays.
    pub fn restart(&mut self, budget: Budget) {
        self.stack.clear();
        self.marks.clear();
        self.floor = 0;
        self.budget = budget;
        self.protocol = 0;
    }

    /// The account of this load.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The account of this load, to be told of more input.
    pub fn budget_mut(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// The memo.
    pub fn memo(&self) -> &Memo<W::Value> {
        &self.memo
    }

    /// The memo, to be filled or cleared between pickles.
    pub fn memo_mut(&mut self) -> &mut Memo<W::Value> {
        &mut self.memo
    }

    /// The protocol that PROTO declared; 0 without one.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// What is on the stack: at a failure, all that was built so far; after STOP, leftovers.
    pub fn stack(&self) -> &[W::Value] {
        &self.stack
    }

    /// Runs up to STOP and returns its value.
    ///
    /// # Errors
    /// [`Failure::Stream`] with a truncated stream leaves the machine as it was before the instruction that lacks
    /// bytes: run it again with a reader that has more.
    pub fn run(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Result<W::Value, Failure<W::Fault>> {
        let mut cursor = *reader;
        let outcome = self.run_from(world, &mut cursor);
        *reader = cursor;
        outcome
    }

    #[inline(always)]
    fn run_from(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Result<W::Value, Failure<W::Fault>> {
        let mut ticks = TICK;
        loop {
            let op = match reader.next_op() {
                Ok(Op::Stop) => {
                    return self
                        .load_stop()
                        .map_err(|kind| failed(kind.into(), *reader));
                }
                Ok(op) => op,
                Err(error) => return Err(Failure::Stream(error)),
            };
            if let Err(fault) = self.execute(world, reader, op) {
                return Err(failed(fault, *reader));
            }
            ticks -= 1;
            if ticks == 0 {
                ticks = TICK;
                if let Err(fault) = world.tick() {
                    return Err(failed(fault, *reader));
                }
            }
        }
    }

    #[inline(always)]
    fn execute(&mut self, world: &mut W, reader: &mut Reader<'_>, op: Op<'_>) -> Done<W> {
        match op {
            // ints
            Op::Int(value) => self.load_int(world, value),
            Op::Long(bytes) => self.load_long(world, bytes),
            Op::Decimal(digits) => self.load_decimal(world, digits),
            // None and bools
            Op::None => self.push_done(world.none()),
            Op::Bool(value) => self.push_done(world.bool(value)),
            // floats
            Op::Float(value) => self.load_float(world, value),
            // strings
            Op::Unicode(utf8) => self.load_unicode(world, utf8),
            Op::RawUnicode(line) => self.load_raw_unicode(world, line),
            Op::Bytes(bytes) => self.load_bytes(world, bytes),
            Op::ByteArray(bytes) => self.load_bytearray(world, bytes),
            Op::String(bytes) => self.load_string(world, bytes),
            Op::Quoted(quoted) => self.load_quoted(world, quoted),
            Op::NextBuffer => self.load_next_buffer(world, self.site(*reader)),
            Op::ReadonlyBuffer => self.load_readonly_buffer(world, self.site(*reader)),
            // tuples
            Op::EmptyTuple => self.load_tuple_of(world, reader, 0),
            Op::TupleOf(count) => self.load_tuple_of(world, reader, count),
            Op::Tuple => self.load_tuple(world, reader),
            // lists
            Op::EmptyList => self.load_empty_list(world),
            Op::List => self.load_list(world),
            Op::Append => self.load_append(world, self.site(*reader)),
            Op::Appends => self.load_appends(world, self.site(*reader)),
            // dicts
            Op::EmptyDict => self.load_empty_dict(world),
            Op::Dict => self.load_dict(world),
            Op::SetItem => self.load_setitem(world, self.site(*reader)),
            Op::SetItems => self.load_setitems(world, self.site(*reader)),
            // sets
            Op::EmptySet => self.load_empty_set(world),
            Op::AddItems => self.load_additems(world, self.site(*reader)),
            Op::FrozenSet => self.load_frozenset(world),
            // the stack itself
            Op::Mark => self.load_mark(),
            Op::Pop => self.load_pop(),
            Op::PopMark => self.load_pop_mark(),
            Op::Dup => self.load_dup(world),
            // memo
            Op::Get(index) => self.load_get(world, index),
            Op::Put(index) => self.load_put(world, index),
            Op::Memoize => self.load_memoize(world),
            // globals
            Op::Global(module, name) => self.load_global(world, self.site(*reader), module, name),
            Op::StackGlobal => self.load_stack_global(world, self.site(*reader)),
            Op::Ext(code) => self.load_ext(world, self.site(*reader), code),
            // calls
            Op::Reduce => self.load_reduce(world, self.site(*reader)),
            Op::NewObj => self.load_newobj(world, self.site(*reader)),
            Op::NewObjEx => self.load_newobj_ex(world, self.site(*reader)),
            Op::Inst(module, name) => self.load_inst(world, self.site(*reader), module, name),
            Op::Obj => self.load_obj(world, self.site(*reader)),
            Op::Build => self.load_build(world, self.site(*reader)),
            // persistent ids
            Op::PersId(id) => self.load_persid(world, self.site(*reader), id),
            Op::BinPersId => self.load_binpersid(world, self.site(*reader)),
            // framing
            Op::Proto(version) => self.load_proto(reader.at(), version),
            Op::Frame(_) | Op::Stop => Ok(()),
        }
    }

    // ---- the stack ---------------------------------------------------------------------------------------------

    #[inline(always)]
    fn push(&mut self, value: W::Value) {
        self.stack.push(value);
    }

    #[inline(always)]
    fn push_done(&mut self, value: W::Value) -> Done<W> {
        self.stack.push(value);
        Ok(())
    }

    #[inline(always)]
    fn pop(&mut self) -> Result<W::Value, Kind> {
        if self.stack.len() > self.floor
            && let Some(value) = self.stack.pop()
        {
            return Ok(value);
        }
        Err(self.underflow())
    }

    #[cold]
    fn underflow(&self) -> Kind {
        if self.marks.is_empty() {
            Kind::StackUnderflow
        } else {
            Kind::UnexpectedMark
        }
    }

    /// Pops the last mark; returns where it stood.
    #[inline(always)]
    fn pop_mark(&mut self) -> Result<usize, Kind> {
        let mark = self.marks.pop().ok_or(Kind::MarkNotFound)?;
        self.floor = self.marks.last().copied().unwrap_or(0);
        Ok(mark)
    }

    /// Where the top `count` values begin.
    #[inline(always)]
    fn top(&self, count: usize) -> Result<usize, Kind> {
        match self.stack.len().checked_sub(count) {
            Some(from) if from >= self.floor => Ok(from),
            _ => Err(self.underflow()),
        }
    }

    #[inline(always)]
    fn site(&self, reader: Reader<'_>) -> Site {
        Site {
            at: reader.at(),
            code: reader.code(),
            protocol: self.protocol,
        }
    }

    // ---- ints, None, bools, floats -----------------------------------------------------------------------------

    #[inline(always)]
    fn load_int(&mut self, world: &mut W, value: i64) -> Done<W> {
        self.budget.memory(size::INT)?;
        let value = world.int(value)?;
        self.push_done(value)
    }

    fn load_long(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.int_bytes(bytes.len())?;
        self.budget.memory(size::INT + bytes.len() as u64 * 2)?;
        let value = world.long(bytes)?;
        self.push_done(value)
    }

    fn load_decimal(&mut self, world: &mut W, digits: &[u8]) -> Done<W> {
        let count = digits.strip_prefix(b"-").unwrap_or(digits).len();
        self.budget.int_digits(count)?;
        self.budget.memory(size::INT + count as u64)?;
        let value = world.decimal(digits)?;
        self.push_done(value)
    }

    #[inline(always)]
    fn load_float(&mut self, world: &mut W, value: f64) -> Done<W> {
        self.budget.memory(size::FLOAT)?;
        let value = world.float(value)?;
        self.push_done(value)
    }

    // ---- strings -----------------------------------------------------------------------------------------------

    #[inline(always)]
    fn load_unicode(&mut self, world: &mut W, utf8: &[u8]) -> Done<W> {
        let role = if (self.stack.len() - self.floor) & 1 == 0 && self.floor > 0 {
            Role::Key
        } else {
            Role::Value
        };
        let value = world.unicode(&mut self.budget, utf8, role)?;
        self.push_done(value)
    }

    fn load_raw_unicode(&mut self, world: &mut W, line: &[u8]) -> Done<W> {
        let utf8 = text::raw_unicode(line)?;
        self.load_unicode(world, &utf8)
    }

    #[inline]
    fn load_bytes(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.memory(size::BYTES + bytes.len() as u64)?;
        let value = world.bytes(bytes)?;
        self.push_done(value)
    }

    fn load_bytearray(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.memory(size::BYTEARRAY + bytes.len() as u64)?;
        let value = world.bytearray(bytes)?;
        self.push_done(value)
    }

    fn load_string(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        let value = world.string(&mut self.budget, bytes)?;
        self.push_done(value)
    }

    fn load_quoted(&mut self, world: &mut W, quoted: &[u8]) -> Done<W> {
        let bytes = text::unescape(quoted)?;
        self.load_string(world, &bytes)
    }

    fn load_next_buffer(&mut self, world: &mut W, site: Site) -> Done<W> {
        let value = world.next_buffer(site)?;
        self.push_done(value)
    }

    fn load_readonly_buffer(&mut self, world: &mut W, site: Site) -> Done<W> {
        let buffer = self.pop()?;
        let value = world.readonly_buffer(site, buffer)?;
        self.push_done(value)
    }

    // ---- tuples ------------------------------------------------------------------------------------------------

    #[inline(always)]
    fn load_tuple_of(&mut self, world: &mut W, reader: &mut Reader<'_>, count: u8) -> Done<W> {
        let from = self.top(usize::from(count))?;
        self.make_tuple(world, reader, from)
    }

    #[inline(always)]
    fn load_tuple(&mut self, world: &mut W, reader: &mut Reader<'_>) -> Done<W> {
        let from = self.pop_mark()?;
        self.make_tuple(world, reader, from)
    }

    #[inline(always)]
    fn make_tuple(&mut self, world: &mut W, reader: &mut Reader<'_>, from: usize) -> Done<W> {
        let fused = match reader.rest().first() {
            Some(&(opcode::REDUCE | opcode::NEWOBJ)) => from > self.floor,
            _ => false,
        };
        if fused {
            reader.next_fused();
            return self.call_items(world, self.site(*reader), from);
        }
        self.plain_tuple(world, from)
    }

    #[inline(always)]
    fn plain_tuple(&mut self, world: &mut W, from: usize) -> Done<W> {
        let items = self.stack.get_mut(from..).unwrap_or_default();
        if !items.is_empty() {
            self.budget
                .memory(size::TUPLE + items.len() as u64 * size::REFERENCE)?;
        }
        let value = world.tuple(&mut self.budget, items)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    /// TUPLE and REDUCE or NEWOBJ in one: the tuple was never memoized, so nothing else can reach it and it is never
    /// made.
    fn call_items(&mut self, world: &mut W, site: Site, from: usize) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let (callable, args) = target(&mut self.stack, &self.marks, from)?;
        let callable = std::mem::take(callable);
        let value = if site.code == opcode::REDUCE {
            world.reduce_items(site, &mut self.budget, callable, args)?
        } else {
            world.newobj_items(site, &mut self.budget, callable, args)?
        };
        self.stack.truncate(from - 1);
        self.push_done(value)
    }

    // ---- lists -------------------------------------------------------------------------------------------------

    #[inline]
    fn load_empty_list(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::LIST)?;
        let value = world.list(&mut self.budget, &mut [])?;
        self.push_done(value)
    }

    fn load_list(&mut self, world: &mut W) -> Done<W> {
        let from = self.pop_mark()?;
        let items = self.stack.get_mut(from..).unwrap_or_default();
        self.budget
            .memory(size::LIST + items.len() as u64 * size::REFERENCE)?;
        let value = world.list(&mut self.budget, items)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    fn load_append(&mut self, world: &mut W, site: Site) -> Done<W> {
        let from = self.top(1)?;
        self.extend(world, site, from)
    }

    #[inline]
    fn load_appends(&mut self, world: &mut W, site: Site) -> Done<W> {
        let from = self.pop_mark()?;
        self.extend(world, site, from)
    }

    #[inline(always)]
    fn extend(&mut self, world: &mut W, site: Site, from: usize) -> Done<W> {
        let (target, items) = target(&mut self.stack, &self.marks, from)?;
        if !items.is_empty() {
            self.budget.memory(items.len() as u64 * size::REFERENCE)?;
            world.extend(site, &mut self.budget, target, items)?;
            self.stack.truncate(from);
        }
        Ok(())
    }

    // ---- dicts -------------------------------------------------------------------------------------------------

    #[inline]
    fn load_empty_dict(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::DICT)?;
        let value = world.dict(&mut self.budget, &mut [])?;
        self.push_done(value)
    }

    fn load_dict(&mut self, world: &mut W) -> Done<W> {
        let from = self.pop_mark()?;
        let pairs = self.stack.get_mut(from..).unwrap_or_default();
        if pairs.len() % 2 != 0 {
            return Err(Kind::OddItems("DICT").into());
        }
        self.budget
            .memory(size::DICT + pairs.len() as u64 / 2 * size::DICT_ITEM)?;
        let value = world.dict(&mut self.budget, pairs)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    fn load_setitem(&mut self, world: &mut W, site: Site) -> Done<W> {
        let from = self.top(2)?;
        self.set_items(world, site, from)
    }

    #[inline]
    fn load_setitems(&mut self, world: &mut W, site: Site) -> Done<W> {
        let from = self.pop_mark()?;
        self.set_items(world, site, from)
    }

    #[inline(always)]
    fn set_items(&mut self, world: &mut W, site: Site, from: usize) -> Done<W> {
        let (target, pairs) = target(&mut self.stack, &self.marks, from)?;
        if pairs.is_empty() {
            return Ok(());
        }
        if pairs.len() % 2 != 0 {
            return Err(Kind::OddItems("SET ITEMS").into());
        }
        self.budget
            .memory(pairs.len() as u64 / 2 * size::DICT_ITEM)?;
        world.set_items(site, &mut self.budget, target, pairs)?;
        self.stack.truncate(from);
        Ok(())
    }

    // ---- sets --------------------------------------------------------------------------------------------------

    fn load_empty_set(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::SET)?;
        let value = world.set()?;
        self.push_done(value)
    }

    fn load_additems(&mut self, world: &mut W, site: Site) -> Done<W> {
        let from = self.pop_mark()?;
        let (target, items) = target(&mut self.stack, &self.marks, from)?;
        if !items.is_empty() {
            self.budget.memory(items.len() as u64 * size::SET_ITEM)?;
            world.add_items(site, &mut self.budget, target, items)?;
            self.stack.truncate(from);
        }
        Ok(())
    }

    fn load_frozenset(&mut self, world: &mut W) -> Done<W> {
        let from = self.pop_mark()?;
        let items = self.stack.get_mut(from..).unwrap_or_default();
        self.budget
            .memory(size::SET + items.len() as u64 * size::SET_ITEM)?;
        let value = world.frozenset(&mut self.budget, items)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    // ---- the stack itself --------------------------------------------------------------------------------------

    #[inline(always)]
    fn load_mark(&mut self) -> Done<W> {
        self.floor = self.stack.len();
        self.marks.push(self.floor);
        Ok(())
    }

    /// POP takes a mark where one is on top, as it does for `pickle`.
    fn load_pop(&mut self) -> Done<W> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.pop_mark()?;
        } else {
            self.pop()?;
        }
        Ok(())
    }

    fn load_pop_mark(&mut self) -> Done<W> {
        let from = self.pop_mark()?;
        self.stack.truncate(from);
        Ok(())
    }

    fn load_dup(&mut self, world: &mut W) -> Done<W> {
        let from = self.top(1)?;
        if let Some(value) = self.stack.get(from) {
            let copy = world.share(value);
            self.push(copy);
        }
        Ok(())
    }

    // ---- memo --------------------------------------------------------------------------------------------------

    #[inline(always)]
    fn load_get(&mut self, world: &mut W, index: i64) -> Done<W> {
        match self.memo.get(index) {
            Some(value) if !W::is_hole(value) => {
                let value = world.share(value);
                self.push_done(value)
            }
            _ => Err(Kind::MemoNotFound(index).into()),
        }
    }

    fn load_put(&mut self, world: &mut W, index: u64) -> Done<W> {
        self.budget.memory(size::REFERENCE)?;
        let from = self.top(1)?;
        if let Some(value) = self.stack.get(from) {
            let copy = world.share(value);
            self.memo.put(index, copy, W::is_hole);
        }
        Ok(())
    }

    #[inline(always)]
    fn load_memoize(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::REFERENCE)?;
        match self.stack.last() {
            Some(value) if self.stack.len() > self.floor => {
                let copy = world.share(value);
                self.memo.push(copy, W::is_hole);
                Ok(())
            }
            _ => Err(self.underflow().into()),
        }
    }

    // ---- globals -----------------------------------------------------------------------------------------------

    fn load_global(&mut self, world: &mut W, site: Site, module: &[u8], name: &[u8]) -> Done<W> {
        let (module, name) = (text::name(module)?, text::name(name)?);
        let value = world.global(site, module, name)?;
        self.push_done(value)
    }

    fn load_stack_global(&mut self, world: &mut W, site: Site) -> Done<W> {
        let name = self.pop()?;
        let module = self.pop()?;
        let value = world.stack_global(site, module, name)?;
        self.push_done(value)
    }

    fn load_ext(&mut self, world: &mut W, site: Site, code: u32) -> Done<W> {
        let value = world.extension(site, code)?;
        self.push_done(value)
    }

    // ---- calls -------------------------------------------------------------------------------------------------

    fn load_reduce(&mut self, world: &mut W, site: Site) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let args = self.pop()?;
        let callable = self.pop()?;
        let value = world.reduce(site, &mut self.budget, callable, args)?;
        self.push_done(value)
    }

    fn load_newobj(&mut self, world: &mut W, site: Site) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let args = self.pop()?;
        let class = self.pop()?;
        let value = world.newobj(site, &mut self.budget, class, args)?;
        self.push_done(value)
    }

    fn load_newobj_ex(&mut self, world: &mut W, site: Site) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let kwargs = self.pop()?;
        let args = self.pop()?;
        let class = self.pop()?;
        let value = world.newobj_ex(site, &mut self.budget, class, args, kwargs)?;
        self.push_done(value)
    }

    fn load_inst(&mut self, world: &mut W, site: Site, module: &[u8], name: &[u8]) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let from = self.pop_mark()?;
        let (module, name) = (text::ascii(module)?, text::ascii(name)?);
        let class = world.global(site, module, name)?;
        self.instance(world, site, class, from, from)
    }

    fn load_obj(&mut self, world: &mut W, site: Site) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let from = self.pop_mark()?;
        let Some(class) = self.stack.get_mut(from).map(std::mem::take) else {
            return Err(self.underflow().into());
        };
        self.instance(world, site, class, from + 1, from)
    }

    fn instance(
        &mut self,
        world: &mut W,
        site: Site,
        class: W::Value,
        args: usize,
        from: usize,
    ) -> Done<W> {
        let args = self.stack.get_mut(args..).unwrap_or_default();
        let value = world.instance(site, &mut self.budget, class, args)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    fn load_build(&mut self, world: &mut W, site: Site) -> Done<W> {
        let state = self.pop()?;
        let from = self.stack.len();
        let (object, _) = target(&mut self.stack, &self.marks, from)?;
        world.build(site, &mut self.budget, object, state)
    }

    // ---- persistent ids, framing -------------------------------------------------------------------------------

    fn load_persid(&mut self, world: &mut W, site: Site, id: &[u8]) -> Done<W> {
        if !id.is_ascii() {
            return Err(Kind::PersistentIdText.into());
        }
        let id = world.unicode(&mut self.budget, id, Role::Value)?;
        let value = world.persistent(site, id)?;
        self.push_done(value)
    }

    fn load_binpersid(&mut self, world: &mut W, site: Site) -> Done<W> {
        let id = self.pop()?;
        let value = world.persistent(site, id)?;
        self.push_done(value)
    }

    fn load_proto(&mut self, at: u64, version: u8) -> Done<W> {
        if version > 5 {
            return Err(Kind::UnsupportedProtocol(version).into());
        }
        if at > 0 && version != self.protocol {
            return Err(Kind::LateProtocol.into());
        }
        self.protocol = version;
        Ok(())
    }

    fn load_stop(&mut self) -> Result<W::Value, Kind> {
        self.pop()
    }
}

/// The value under `from` and the values from there up; none of them below the last mark.
#[inline(always)]
fn target<'s, V>(
    stack: &'s mut [V],
    marks: &[usize],
    from: usize,
) -> Result<(&'s mut V, &'s mut [V]), Kind> {
    let floor = marks.last().copied().unwrap_or(0);
    if from > floor
        && let Some((below, items)) = stack.split_at_mut_checked(from)
        && let Some(target) = below.last_mut()
    {
        return Ok((target, items));
    }
    Err(if marks.is_empty() {
        Kind::StackUnderflow
    } else {
        Kind::UnexpectedMark
    })
}

#[cold]
fn failed<F>(fault: F, reader: Reader<'_>) -> Failure<F> {
    Failure::World {
        fault,
        at: reader.at(),
        opcode: opcode::name(reader.code()),
    }
}
