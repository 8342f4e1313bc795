//! Handlers of what makes values: ints, floats, strings, bytes, buffers.

use super::Machine;
use super::budget::size;
use super::world::{Done, Role, Site, World};
use crate::stream::{Reader, text};

impl<V: Default> Machine<V> {
    // ---- ints, None, bools, floats -----------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_int<W: World<Value = V>>(&mut self, world: &mut W, value: i64) -> Done<W> {
        self.budget.memory(size::INT)?;
        let value = world.int(value)?;
        self.push_done(value)
    }

    pub(super) fn load_long<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        bytes: &[u8],
    ) -> Done<W> {
        self.budget.int_bytes(bytes.len())?;
        self.budget.memory(size::INT + bytes.len() as u64 * 2)?;
        let value = world.long(bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_decimal<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        digits: &[u8],
    ) -> Done<W> {
        let count = digits.strip_prefix(b"-").unwrap_or(digits).len();
        self.budget.int_digits(count)?;
        self.budget.memory(size::INT + count as u64)?;
        let value = world.decimal(digits)?;
        self.push_done(value)
    }

    #[inline(always)]
    pub(super) fn load_float<W: World<Value = V>>(&mut self, world: &mut W, value: f64) -> Done<W> {
        self.budget.memory(size::FLOAT)?;
        let value = world.float(value)?;
        self.push_done(value)
    }

    // ---- strings -----------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_unicode<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        utf8: &[u8],
    ) -> Done<W> {
        let role = self.role::<W>();
        let value = world.unicode(&mut self.budget, utf8, role)?;
        self.push_new(world, reader, value)
    }

    /// Where a string on top of this stack would go.
    #[inline(always)]
    pub(super) fn role<W: World<Value = V>>(&self) -> Role {
        let above = self.stack.len() - self.floor;
        let filled = match (above & 1, self.floor.checked_sub(1)) {
            (0, Some(below)) => self.stack.get(below),
            _ => None,
        };
        let key = filled.is_some_and(W::is_dict) || self.stack.last().is_some_and(W::is_dict);
        if key { Role::Key } else { Role::Value }
    }

    pub(super) fn load_raw_unicode<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        line: &[u8],
    ) -> Done<W> {
        let utf8 = text::raw_unicode(line)?;
        self.load_unicode(world, reader, &utf8)
    }

    #[inline(always)]
    pub(super) fn load_bytes<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
        bytes: &[u8],
    ) -> Done<W> {
        self.budget.memory(size::BYTES + bytes.len() as u64)?;
        let value = world.bytes(bytes)?;
        self.push_new(world, reader, value)
    }

    pub(super) fn load_bytearray<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        bytes: &[u8],
    ) -> Done<W> {
        self.budget.memory(size::BYTEARRAY + bytes.len() as u64)?;
        let value = world.bytearray(bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_string<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        bytes: &[u8],
    ) -> Done<W> {
        let value = world.string(&mut self.budget, bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_quoted<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        quoted: &[u8],
    ) -> Done<W> {
        let bytes = text::unescape(quoted)?;
        self.load_string(world, &bytes)
    }

    pub(super) fn load_next_buffer<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let value = world.next_buffer(site)?;
        self.push_done(value)
    }

    pub(super) fn load_readonly_buffer<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let buffer = self.pop()?;
        let value = world.readonly_buffer(site, buffer)?;
        self.push_done(value)
    }
}
