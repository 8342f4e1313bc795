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
mod calls;
pub mod chains;
mod containers;
mod fused;
pub mod hashing;
mod liveness;
pub mod memo;
mod plain;
pub mod residues;
mod stack;
mod values;
pub mod world;

use crate::error::{Error, Kind};
use crate::stream::{Op, Reader, opcode};
use budget::{Budget, Limits, size};
pub use liveness::Liveness;
use memo::Memo;
use world::{Done, Site, World};

/// What PROTO may declare.
const HIGHEST_PROTOCOL: u8 = 5;
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

/// Values above which a machine gives its room back when it is emptied.
const ROOM: usize = 1 << 12;

/// A pickle machine over the values of a world.
#[derive(Debug)]
pub struct Machine<V> {
    stack: Vec<V>,
    marks: Vec<usize>,
    /// Height of the stack at the last mark: nothing below it can be popped.
    floor: usize,
    /// Instructions until the next tick: a file without `peek()` ends a run after each of them.
    ticks: u32,
    /// Bytes of stack and marks that the budget knows of.
    charged: u64,
    memo: Memo<V>,
    budget: Budget,
    protocol: u8,
    /// Which slots of the memo will be fetched, once that was worth finding out.
    liveness: Option<Liveness>,
    /// Slots that were fetched, a bit for each, in a world that keeps account of them.
    fetched: Vec<u64>,
    /// Calls until it is; `None`: the memo outlives the run, so every slot is live.
    calls_to_scan: Option<u32>,
    /// Marks above a state dict that was not made, because BUILD will take its items from the stack.
    deferred: Vec<usize>,
}

impl<V: Default> Default for Machine<V> {
    fn default() -> Self {
        Self::new(Budget::new(Limits::default()))
    }
}

impl<V: Default> Machine<V> {
    /// A machine with an empty memo.
    pub fn new(budget: Budget) -> Self {
        Self {
            stack: Vec::new(),
            marks: Vec::new(),
            floor: 0,
            ticks: TICK,
            charged: 0,
            memo: Memo::default(),
            budget,
            protocol: 0,
            liveness: None,
            fetched: Vec::new(),
            calls_to_scan: None,
            deferred: Vec::new(),
        }
    }

    /// Makes ready for a pickle that has nothing to do with the last one. Small room is kept, so that small loads need
    /// not allocate it each time. So many bytes of it are here.
    #[inline]
    pub fn reset(&mut self, limits: &Limits, bytes: u64) {
        self.budget.reset(limits, bytes);
        self.ticks = TICK;
        self.charged = 0;
        self.protocol = 0;
        self.calls_to_scan = None;
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.stack.clear();
        self.marks.clear();
        self.floor = 0;
        self.memo.clear();
        self.liveness = None;
        self.deferred.clear();
        if self.stack.capacity() > ROOM {
            self.stack = Vec::new();
        }
        self.memo.shrink(ROOM);
    }

    /// Drops all values, and gives room for more than so many on the stack and in the memo back.
    pub fn clear_to(&mut self, stack: usize, memo: usize) {
        self.stack.clear();
        self.stack.shrink_to(stack);
        self.marks.clear();
        self.marks.shrink_to(stack);
        self.floor = 0;
        self.memo.clear();
        self.memo.shrink_to(memo);
        self.fetched.clear();
        self.liveness = None;
        self.deferred = Vec::new();
    }

    /// The memo is of no use after the run, and the reader has the whole stream: slots that are never fetched need not
    /// be filled.
    #[inline]
    pub fn forget_memo(&mut self) {
        self.calls_to_scan = Some(fused::CALLS_TO_SCAN);
    }

    /// Which slots the run that ended has fetched, for another machine that runs the same stream: `None` where one was
    /// filled that was not the next, for which slots left empty could be counted otherwise.
    pub fn take_liveness(&mut self) -> Option<Liveness> {
        let fetched = std::mem::take(&mut self.fetched);
        self.memo.in_order().then(|| Liveness::of(fetched))
    }

    /// Keeps account of a slot that is fetched: a third of the time that it takes to look through the stream for them.
    #[inline(always)]
    pub(super) fn note_fetched<W: World<Value = V>>(&mut self, index: i64) {
        if W::NOTES_FETCHES
            && let Ok(at) = usize::try_from(index)
        {
            match self.fetched.get_mut(at / 64) {
                Some(bits) => *bits |= 1 << (at % 64),
                None => self.note_more(at),
            }
        }
    }

    #[cold]
    fn note_more(&mut self, at: usize) {
        // A slot that is filled has cost a byte of the stream, if it is one of those in order.
        if (at as u64) < self.memo.len() {
            self.fetched.resize(at / 64 + 1, 0);
            if let Some(bits) = self.fetched.get_mut(at / 64) {
                *bits |= 1 << (at % 64);
            }
        }
    }

    /// The first tick comes after so many instructions.
    pub fn tick_early(&mut self, ticks: u32) {
        self.ticks = ticks;
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
    pub fn memo(&self) -> &Memo<V> {
        &self.memo
    }

    /// The memo, to be filled or cleared between pickles.
    pub fn memo_mut(&mut self) -> &mut Memo<V> {
        &mut self.memo
    }

    /// The protocol that PROTO declared; 0 without one.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// What is on the stack: at a failure, all that was built so far; after STOP, leftovers.
    pub fn stack(&self) -> &[V] {
        &self.stack
    }

    /// Where on the stack the open marks stand.
    pub fn marks(&self) -> &[usize] {
        &self.marks
    }

    /// Runs up to STOP and returns its value.
    ///
    /// # Errors
    /// [`Failure::Stream`] with a truncated stream leaves the machine as it was before the instruction that lacks
    /// bytes: run it again with a reader that has more.
    // Inlined into its callers, each of which has a cursor of its own: passed by reference it would be copied in and
    // out, which costs a small load a third of its time.
    #[inline(always)]
    pub fn run<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Result<V, Failure<W::Fault>> {
        let mut ticks = self.ticks;
        loop {
            if let Err(fault) = self.run_plain(world, reader, &mut ticks) {
                return Err(failed(fault, reader.at(), reader.code()));
            }
            if self.run_gets(world, reader, &mut ticks) {
                continue;
            }
            let op = match reader.next_op() {
                Ok(Op::Stop) => {
                    return self
                        .load_stop()
                        .map_err(|kind| failed(kind.into(), reader.at(), reader.code()));
                }
                Ok(op) => op,
                Err(error) => {
                    self.ticks = ticks;
                    return Err(Failure::Stream(error));
                }
            };
            if let Err(fault) = self.execute(world, reader, op) {
                return Err(failed(fault, reader.at(), reader.code()));
            }
            ticks -= 1;
            if ticks == 0 {
                ticks = TICK;
                if let Err(fault) = self.tick(world) {
                    return Err(failed(fault, reader.at(), reader.code()));
                }
            }
        }
    }

    /// What is due now and then. The stack is charged here, and not at each push: between two ticks it cannot grow by
    /// more than 1 MiB, and a stack of this size is in no honest pickle but below one long tuple.
    #[cold]
    #[inline(never)]
    fn tick<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let room = self.stack.len().next_power_of_two() * size_of::<V>()
            + self.marks.len().next_power_of_two() * size_of::<usize>();
        if room as u64 > self.charged {
            self.budget.memory(room as u64 - self.charged)?;
            self.charged = room as u64;
        }
        world.tick()
    }

    #[inline(always)]
    fn execute<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        op: Op<'_>,
    ) -> Done<W> {
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
            Op::Unicode(utf8) => self.load_unicode(world, reader, utf8),
            Op::RawUnicode(line) => self.load_raw_unicode(world, reader, line),
            Op::Bytes(bytes) => self.load_bytes(world, reader, bytes),
            Op::ByteArray(bytes) => self.load_bytearray(world, bytes),
            Op::String(bytes) => self.load_string(world, bytes),
            Op::Quoted(quoted) => self.load_quoted(world, quoted),
            Op::NextBuffer => self.load_next_buffer(world, self.site(reader)),
            Op::ReadonlyBuffer => self.load_readonly_buffer(world, self.site(reader)),
            // tuples
            Op::EmptyTuple => self.load_tuple_of(world, reader, 0),
            Op::TupleOf(count) => self.load_tuple_of(world, reader, count),
            Op::Tuple => self.load_tuple(world, reader),
            // lists
            Op::EmptyList => self.load_empty_list(world, reader),
            Op::List => self.load_list(world),
            Op::Append => self.load_append(world, self.site(reader)),
            Op::Appends => self.load_appends(world, self.site(reader)),
            // dicts
            Op::EmptyDict => self.load_empty_dict(world, reader),
            Op::Dict => self.load_dict(world),
            Op::SetItem => self.load_setitem(world, self.site(reader)),
            Op::SetItems => self.load_setitems(world, reader),
            // sets
            Op::EmptySet => self.load_empty_set(world),
            Op::AddItems => self.load_additems(world, self.site(reader)),
            Op::FrozenSet => self.load_frozenset(world),
            // the stack itself
            Op::Mark => self.load_mark(),
            Op::Pop => self.load_pop(world),
            Op::PopMark => self.load_pop_mark(world),
            Op::Dup => self.load_dup(world),
            // memo
            Op::Get(index) => self.load_get(world, index),
            Op::Put(index) => self.load_put(world, index),
            Op::Memoize => self.load_memoize(world),
            // globals
            Op::Global(module, name) => self.load_global(world, self.site(reader), module, name),
            Op::StackGlobal => self.load_stack_global(world, self.site(reader)),
            Op::Ext(code) => self.load_ext(world, self.site(reader), code),
            // calls
            Op::Reduce => self.load_reduce(world, self.site(reader)),
            Op::NewObj => self.load_newobj(world, self.site(reader)),
            Op::NewObjEx => self.load_newobj_ex(world, self.site(reader)),
            Op::Inst(module, name) => self.load_inst(world, self.site(reader), module, name),
            Op::Obj => self.load_obj(world, self.site(reader)),
            Op::Build => self.load_build(world, reader),
            // persistent ids
            Op::PersId(id) => self.load_persid(world, self.site(reader), id),
            Op::BinPersId => self.load_binpersid(world, self.site(reader)),
            // framing
            Op::Proto(version) => self.load_proto(reader.at(), version),
            Op::Frame(_) | Op::Stop => Ok(()),
        }
    }

    // ---- the stack ---------------------------------------------------------------------------------------------

    #[inline(always)]
    fn push(&mut self, value: V) {
        self.stack.push(value);
    }

    #[inline(always)]
    fn push_done<E>(&mut self, value: V) -> Result<(), E> {
        self.stack.push(value);
        Ok(())
    }

    /// Pushes a value that was made just now. A pickler memoizes it at once: that is done here, before the value leaves
    /// its registers.
    #[inline(always)]
    fn push_new<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        value: V,
    ) -> Done<W> {
        if self.memo.in_order() && reader.next_put(self.memo.len()) {
            self.budget.memory(size::REFERENCE)?;
            let copy = world.share(&value);
            self.memo.push_next(copy);
        }
        self.push_done(value)
    }

    /// Drops what a world has taken the items of.
    #[inline(always)]
    fn drop_items<W: World<Value = V>>(&mut self, world: &mut W, from: usize) {
        if world.took_all() {
            self.stack.drain(from..).for_each(std::mem::forget);
        } else {
            self.stack.truncate(from);
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> Result<V, Kind> {
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
        // Not `ok_or`: an error that is made to be dropped costs a call.
        let Some(mark) = self.marks.pop() else {
            return Err(Kind::MarkNotFound);
        };
        self.floor = self.marks.last().copied().unwrap_or(0);
        Ok(mark)
    }

    /// Pops the last mark for an opcode that takes its items: a dict that was put off is made now.
    #[inline(always)]
    fn end_mark<W: World<Value = V>>(&mut self, world: &mut W) -> Result<usize, W::Fault> {
        let mark = self.pop_mark()?;
        if self.deferred.last() == Some(&mark) {
            self.make_deferred(world, mark)?;
        }
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
    fn site(&self, reader: &Reader<'_>) -> Site {
        Site {
            at: reader.at(),
            code: reader.code(),
            protocol: self.protocol,
        }
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

/// An instruction failed there.
#[cold]
pub fn failed<F>(fault: F, at: u64, code: u8) -> Failure<F> {
    Failure::World {
        fault,
        at,
        opcode: opcode::name(code),
    }
}
