//! Handlers of what moves values: marks, POP, DUP, and the memo.

use super::Machine;
use super::budget::size;
use super::world::{Done, World};
use crate::error::Kind;

impl<V: Default> Machine<V> {
    // ---- the stack itself --------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_mark<E>(&mut self) -> Result<(), E> {
        self.mark();
        Ok(())
    }

    #[inline(always)]
    pub(super) fn mark(&mut self) {
        self.floor = self.stack.len();
        self.marks.push(self.floor);
    }

    /// POP takes a mark where one is on top, as it does for `pickle`.
    pub(super) fn load_pop<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.end_mark(world)?;
        } else {
            self.pop()?;
        }
        Ok(())
    }

    pub(super) fn load_pop_mark<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let from = self.end_mark(world)?;
        self.stack.truncate(from);
        Ok(())
    }

    pub(super) fn load_dup<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        let from = self.top(1)?;
        if let Some(value) = self.stack.get(from) {
            let copy = world.share(value);
            self.push(copy);
        }
        Ok(())
    }

    // ---- memo --------------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_get<W: World<Value = V>>(&mut self, world: &mut W, index: i64) -> Done<W> {
        match self.memo.get(index) {
            Some(value) if !W::is_hole(value) => {
                let value = world.share(value);
                self.note_fetched::<W>(index);
                self.push_done(value)
            }
            _ => Err(Kind::MemoNotFound(index).into()),
        }
    }

    pub(super) fn load_put<W: World<Value = V>>(&mut self, world: &mut W, index: u64) -> Done<W> {
        self.budget.memory(size::REFERENCE)?;
        let from = self.top(1)?;
        if self.is_dead(index) {
            return Ok(());
        }
        if let Some(value) = self.stack.get(from) {
            let copy = world.share(value);
            self.memo.put(index, copy, W::is_hole);
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn load_memoize<W: World<Value = V>>(&mut self, world: &mut W) -> Done<W> {
        self.budget.memory(size::REFERENCE)?;
        match self.stack.last() {
            Some(value) if self.stack.len() > self.floor => {
                if self.is_dead(self.memo.len()) {
                    self.memo.skip();
                } else {
                    let copy = world.share(value);
                    self.memo.push(copy, W::is_hole);
                }
                Ok(())
            }
            _ => Err(self.underflow().into()),
        }
    }

    /// Whether nothing will fetch a slot.
    #[inline(always)]
    pub(super) fn is_dead(&self, index: u64) -> bool {
        match &self.liveness {
            None => false,
            Some(liveness) => liveness.is_dead(index),
        }
    }
}
