//! Fused paths: instructions that belong together, executed as one.
//!
//! An argument tuple is made only to be taken apart by REDUCE or NEWOBJ, and a state dict by BUILD. Where nothing else
//! can reach them, because their memo slot is dead, neither is made: 1.35 to 3.7 times as fast on datetimes,
//! namedtuples and dataclasses.

use super::budget::size;
use super::liveness::Liveness;
use super::world::{Done, Site, World};
use super::{Machine, target};
use crate::stream::opcode::{
    BINPUT, BUILD, EMPTY_DICT, LONG_BINPUT, MARK, MEMOIZE, NEWOBJ, REDUCE, TUPLE2,
};
use crate::stream::{Reader, atoms};

/// Calls before the memo is scanned: a stream of plain data never pays for it.
pub(super) const CALLS_TO_SCAN: u32 = 4;

impl<V: Default> Machine<V> {
    /// TUPLE, and the REDUCE, NEWOBJ or BUILD behind it.
    #[inline(always)]
    pub(super) fn tuple_or_call<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        from: usize,
    ) -> Done<W> {
        match reader.rest() {
            [code @ (REDUCE | NEWOBJ), ..] if from > self.floor => {
                // A tuple without a slot is there to be called with. What may be saved behind it is the state.
                if *code == NEWOBJ || from == self.stack.len() && state_follows(reader.rest()) {
                    self.count_call(world, reader);
                }
                reader.next_fused();
                self.call_items(world, self.site(reader), reader.rest(), from)
            }
            [MEMOIZE, REDUCE | NEWOBJ | BUILD, ..]
            | [BINPUT, _, REDUCE | NEWOBJ | BUILD, ..]
            | [LONG_BINPUT, ..]
                if from > self.floor =>
            {
                self.count_call(world, reader);
                if self.liveness.is_some()
                    && let Some(taker @ [code @ (REDUCE | NEWOBJ | BUILD), ..]) =
                        self.behind_dead_put(reader.rest())
                {
                    if let [MEMOIZE, ..] = reader.rest() {
                        self.memo.skip();
                    }
                    reader.fuse(taker);
                    if *code == BUILD {
                        return self.build_items(world, reader, from);
                    }
                    return self.call_memoized(world, self.site(reader), reader.rest(), from);
                }
                self.plain_tuple(world, reader, from)
            }
            _ => self.plain_tuple(world, reader, from),
        }
    }

    /// A call whose arguments a pickler has memoized as a tuple, which nothing fetches.
    fn call_memoized<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        rest: &[u8],
        from: usize,
    ) -> Done<W> {
        // As if the tuple had been made, memoized and taken apart.
        let items = (self.stack.len() - from) as u64;
        self.budget
            .memory(size::tuple(items) + (items + 1) * size::REFERENCE)?;
        self.call_items(world, site, rest, from)
    }

    /// What follows a MEMOIZE, BINPUT or LONG_BINPUT whose slot is dead. Of slices, as all that looks ahead here: a copy
    /// of the cursor is read by pairs of words, just after the words were written one by one, and that wait was a fifth
    /// of an instance.
    #[inline(always)]
    fn behind_dead_put<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (slot, behind) = atoms::put(rest, self.memo.len())?;
        self.is_dead(slot).then_some(behind)
    }

    /// After a few calls, finds out which slots of the memo are dead.
    #[inline(always)]
    fn count_call<W: World<Value = V>>(&mut self, world: &mut W, reader: &Reader<'_>) {
        if let Some(left) = &mut self.calls_to_scan {
            *left -= 1;
            if *left == 0 {
                self.calls_to_scan = None;
                self.liveness = world.liveness().or_else(|| {
                    let mut copy = *reader;
                    Liveness::scan(&mut copy)
                });
                if self.liveness.is_some() {
                    self.memo.disorder();
                }
            }
        }
    }

    /// REDUCE or NEWOBJ with its arguments on the stack.
    #[inline(always)]
    fn call_items<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        rest: &[u8],
        from: usize,
    ) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let (callable, args) = target(&mut self.stack, &self.marks, from)?;
        let callable = std::mem::take(callable);
        let value = if site.code == REDUCE {
            let (liveness, next) = (self.liveness.as_ref(), self.memo.len());
            let alone = || {
                let dead = |slot| liveness.is_some_and(|liveness| liveness.is_dead(slot));
                atoms::put(rest, next)
                    .is_some_and(|(slot, behind)| behind.first() == Some(&MARK) && dead(slot))
            };
            world.reduce_items(site, &mut self.budget, callable, args, alone)?
        } else {
            world.newobj_items(site, &mut self.budget, callable, args)?
        };
        self.stack.truncate(from - 1);
        self.push_done(value)
    }

    /// BUILD with the items of its state on the stack.
    #[inline(never)]
    fn build_items<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        from: usize,
    ) -> Done<W> {
        let site = self.site(reader);
        let items = (self.stack.len() - from) as u64;
        self.budget.memory(size::tuple(items))?;
        let (object, items) = target(&mut self.stack, &self.marks, from)?;
        world.build_items(site, &mut self.budget, object, items)?;
        self.drop_items(world, from);
        self.built(world, reader)
    }

    /// EMPTY_DICT, its dead memo slot and a MARK, above an instance that takes attributes (or above the None that
    /// stands for its `__dict__` beside a dict of slots): the dict is put off. While its mark stands no opcode can reach
    /// it. Returns where the MARK is.
    pub(super) fn defer_state<'a, W: World<Value = V>>(
        &mut self,
        world: &mut W,
        rest: &'a [u8],
    ) -> Option<&'a [u8]> {
        let behind = self.behind_dead_put(rest)?;
        let here = self.stack.get(self.floor..).unwrap_or_default();
        let takes = match (behind, here) {
            ([MARK, ..], [.., top]) if world.takes_attributes(top, false) => true,
            ([MARK, ..], [.., below, top]) if W::is_none(top) => {
                world.takes_attributes(below, true)
            }
            _ => false,
        };
        if !takes {
            return None;
        }
        if let [MEMOIZE, ..] = rest {
            self.memo.skip();
        }
        self.stack.push(V::default());
        self.mark();
        self.deferred.push(self.floor);
        Some(behind)
    }

    /// Behind the SETITEMS of a dict that was put off: where the BUILD is that its items become attributes at.
    #[inline(always)]
    pub(super) fn build_behind<'a>(&self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let mark = self.marks.last()?;
        if !(self.stack.len() - mark).is_multiple_of(2) {
            return None;
        }
        match rest {
            [BUILD, ..] => Some(rest),
            [TUPLE2, build @ ..] if matches!(build, [BUILD, ..]) => Some(build),
            [TUPLE2, rest @ ..] => self
                .behind_dead_put(rest)
                .filter(|build| matches!(build, [BUILD, ..])),
            _ => None,
        }
    }

    /// SETITEMS on a dict that was put off, and the BUILD behind it: its items become attributes.
    pub(super) fn set_deferred<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        slots: bool,
    ) -> Done<W> {
        let mark = self.pop_mark()?;
        self.deferred.pop();
        // As if the dict had been made, memoized, read by the contract and copied.
        let pairs = (self.stack.len() - mark) as u64 / 2;
        let (tuple, dicts) = if slots {
            (size::TUPLE + 5 * size::REFERENCE, 1)
        } else {
            (0, 2)
        };
        self.budget.memory(
            pairs * (dicts * size::DICT_ITEM + 2 * size::REFERENCE) + size::REFERENCE + tuple,
        )?;
        // Below the mark: the dict that was not made, the None of a state with slots, the instance.
        let depth = if slots { 3 } else { 2 };
        let (below, pairs) = self.stack.split_at_mut(mark);
        if let Some(object) = below
            .len()
            .checked_sub(depth)
            .and_then(|at| below.get_mut(at))
        {
            world.build_attributes(site, &mut self.budget, object, pairs, slots)?;
        }
        self.stack.truncate(mark + 1 - depth);
        Ok(())
    }

    /// Makes a dict that was put off: something else than BUILD will take it.
    #[cold]
    pub(super) fn make_deferred<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        mark: usize,
    ) -> Done<W> {
        self.deferred.pop();
        let dict = world.dict(&mut self.budget, &mut [])?;
        if let Some(slot) = mark.checked_sub(1).and_then(|at| self.stack.get_mut(at)) {
            *slot = dict;
        }
        Ok(())
    }
}

/// Whether behind the REDUCE that a stream is at, and the slot of what it makes, stands the dict of a state.
#[inline(always)]
fn state_follows(rest: &[u8]) -> bool {
    matches!(
        rest,
        [_, MEMOIZE, EMPTY_DICT, ..]
            | [_, BINPUT, _, EMPTY_DICT, ..]
            | [_, LONG_BINPUT, _, _, _, _, EMPTY_DICT, ..]
    )
}
