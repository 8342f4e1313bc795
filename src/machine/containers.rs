//! Handlers of what makes and fills containers: tuples, lists, dicts, sets.

use super::Machine;
use super::budget::size;
use super::target;
use super::world::{Done, Site, World};
use crate::error::Kind;
use crate::stream::Reader;
use crate::stream::opcode::{MEMOIZE, TUPLE2};

impl<V: Default> Machine<V> {
    // ---- tuples ------------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_tuple_of<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        count: u8,
    ) -> Done<W> {
        let from = self.top(usize::from(count))?;
        self.tuple_or_call(world, reader, from)
    }

    #[inline(always)]
    pub(super) fn load_tuple<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        let from = self.end_mark(world)?;
        self.tuple_or_call(world, reader, from)
    }

    #[inline(always)]
    pub(super) fn plain_tuple<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        from: usize,
    ) -> Done<W> {
        let value = self.make_tuple(world, from)?;
        self.push_new(world, reader, value)
    }

    /// Takes the values from there up off the stack, into a tuple.
    #[inline(always)]
    pub(super) fn make_tuple<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        from: usize,
    ) -> Result<V, W::Fault> {
        let items = self.stack.get_mut(from..).unwrap_or_default();
        // Asked here, and not there alone, for the registers of the loop of plain data: 1.5 % of its instructions.
        if !items.is_empty() {
            self.budget.memory(size::tuple(items.len() as u64))?;
        }
        let value = world.tuple(&mut self.budget, items)?;
        self.drop_items(world, from);
        Ok(value)
    }

    // ---- lists -------------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_empty_list<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        self.budget.memory(size::LIST)?;
        let value = world.list(&mut self.budget, &mut [])?;
        self.push_new(world, reader, value)?;
        self.mark_next(reader)
    }

    /// The MARK behind an empty container that is about to be filled.
    #[inline(always)]
    fn mark_next<E>(&mut self, reader: &mut Reader<'_>) -> Result<(), E> {
        if reader.next_mark() {
            self.load_mark()
        } else {
            Ok(())
        }
    }

    pub(super) fn load_list<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let from = self.end_mark(world)?;
        let items = self.stack.get_mut(from..).unwrap_or_default();
        self.budget
            .memory(size::LIST + items.len() as u64 * size::REFERENCE)?;
        let value = world.list(&mut self.budget, items)?;
        self.drop_items(world, from);
        self.push_done(value)
    }

    pub(super) fn load_append<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let from = self.top(1)?;
        self.extend(world, site, from)
    }

    #[inline(always)]
    pub(super) fn load_appends<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let from = self.end_mark(world)?;
        self.extend(world, site, from)
    }

    #[inline(always)]
    pub(super) fn extend<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        from: usize,
    ) -> Done<W> {
        let (target, items) = target(&mut self.stack, &self.marks, from)?;
        // Nothing to add is no reason not to look at the target, from 3.15 on.
        if !items.is_empty() || cfg!(Py_3_15) {
            self.budget.memory(items.len() as u64 * size::REFERENCE)?;
            world.extend(site, &mut self.budget, target, items)?;
            self.drop_items(world, from);
        }
        Ok(())
    }

    // ---- dicts -------------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_empty_dict<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        self.budget.memory(size::DICT)?;
        if self.liveness.is_some()
            && let Some(mark) = self.defer_state(world, reader.rest())
        {
            reader.fuse(mark);
            return Ok(());
        }
        let value = world.dict(&mut self.budget, &mut [])?;
        self.push_new(world, reader, value)?;
        self.mark_next(reader)
    }

    pub(super) fn load_dict<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let from = self.end_mark(world)?;
        let pairs = self.stack.get_mut(from..).unwrap_or_default();
        if pairs.len() % 2 != 0 {
            return Err(Kind::OddItems("DICT").into());
        }
        self.budget
            .memory(size::DICT + pairs.len() as u64 / 2 * size::DICT_ITEM)?;
        let value = world.dict(&mut self.budget, pairs)?;
        self.drop_items(world, from);
        self.push_done(value)
    }

    pub(super) fn load_setitem<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let from = self.top(2)?;
        self.set_items(world, site, from)
    }

    #[inline(always)]
    pub(super) fn load_setitems<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        if self.deferred.last().is_some() && self.deferred.last() == self.marks.last() {
            if let Some(build) = self.build_behind(reader.rest()) {
                let slots = matches!(reader.rest(), [TUPLE2, ..]);
                if let [TUPLE2, MEMOIZE, ..] = reader.rest() {
                    self.memo.skip();
                }
                reader.fuse(build);
                return self.set_deferred(world, self.site(reader), slots);
            }
            let mark = self.pop_mark()?;
            self.make_deferred(world, mark)?;
            return self.set_items(world, self.site(reader), mark);
        }
        let from = self.pop_mark()?;
        self.set_items(world, self.site(reader), from)
    }

    #[inline(always)]
    pub(super) fn set_items<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        from: usize,
    ) -> Done<W> {
        let (target, pairs) = target(&mut self.stack, &self.marks, from)?;
        if pairs.is_empty() {
            return Ok(());
        }
        if pairs.len() % 2 != 0 {
            return Err(Kind::OddItems("SETITEMS").into());
        }
        self.budget
            .memory(pairs.len() as u64 / 2 * size::DICT_ITEM)?;
        world.set_items(site, &mut self.budget, target, pairs)?;
        self.drop_items(world, from);
        Ok(())
    }

    // ---- sets --------------------------------------------------------------------------------------------------

    pub(super) fn load_empty_set<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::SET)?;
        let value = world.set()?;
        self.push_done(value)
    }

    pub(super) fn load_additems<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let from = self.end_mark(world)?;
        let (target, items) = target(&mut self.stack, &self.marks, from)?;
        // Nothing to add is no reason not to look at the target, from 3.15 on.
        if !items.is_empty() || cfg!(Py_3_15) {
            self.budget.memory(items.len() as u64 * size::SET_ITEM)?;
            world.add_items(site, &mut self.budget, target, items)?;
            self.stack.truncate(from);
        }
        Ok(())
    }

    pub(super) fn load_frozenset<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let from = self.end_mark(world)?;
        let items = self.stack.get_mut(from..).unwrap_or_default();
        self.budget
            .memory(size::SET + items.len() as u64 * size::SET_ITEM)?;
        let value = world.frozenset(&mut self.budget, items)?;
        self.stack.truncate(from);
        self.push_done(value)
    }
}
