//! Handlers of what makes values: ints, floats, strings, bytes, buffers.

use super::Machine;
use super::budget::size;
use super::world::{Done, Role, Site, World};
use crate::stream::text;

impl<W: World> Machine<W> {
    // ---- ints, None, bools, floats -----------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_int(&mut self, world: &mut W, value: i64) -> Done<W> {
        self.budget.memory(size::INT)?;
        let value = world.int(value)?;
        self.push_done(value)
    }

    pub(super) fn load_long(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.int_bytes(bytes.len())?;
        self.budget.memory(size::INT + bytes.len() as u64 * 2)?;
        let value = world.long(bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_decimal(&mut self, world: &mut W, digits: &[u8]) -> Done<W> {
        let count = digits.strip_prefix(b"-").unwrap_or(digits).len();
        self.budget.int_digits(count)?;
        self.budget.memory(size::INT + count as u64)?;
        let value = world.decimal(digits)?;
        self.push_done(value)
    }

    #[inline(always)]
    pub(super) fn load_float(&mut self, world: &mut W, value: f64) -> Done<W> {
        self.budget.memory(size::FLOAT)?;
        let value = world.float(value)?;
        self.push_done(value)
    }

    // ---- strings -----------------------------------------------------------------------------------------------

    #[inline(always)]
    pub(super) fn load_unicode(&mut self, world: &mut W, utf8: &[u8]) -> Done<W> {
        let role = if (self.stack.len() - self.floor) & 1 == 0 && self.floor > 0 {
            Role::Key
        } else {
            Role::Value
        };
        let value = world.unicode(&mut self.budget, utf8, role)?;
        self.push_done(value)
    }

    pub(super) fn load_raw_unicode(&mut self, world: &mut W, line: &[u8]) -> Done<W> {
        let utf8 = text::raw_unicode(line)?;
        self.load_unicode(world, &utf8)
    }

    #[inline]
    pub(super) fn load_bytes(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.memory(size::BYTES + bytes.len() as u64)?;
        let value = world.bytes(bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_bytearray(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        self.budget.memory(size::BYTEARRAY + bytes.len() as u64)?;
        let value = world.bytearray(bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_string(&mut self, world: &mut W, bytes: &[u8]) -> Done<W> {
        let value = world.string(&mut self.budget, bytes)?;
        self.push_done(value)
    }

    pub(super) fn load_quoted(&mut self, world: &mut W, quoted: &[u8]) -> Done<W> {
        let bytes = text::unescape(quoted)?;
        self.load_string(world, &bytes)
    }

    pub(super) fn load_next_buffer(&mut self, world: &mut W, site: Site) -> Done<W> {
        let value = world.next_buffer(site)?;
        self.push_done(value)
    }

    pub(super) fn load_readonly_buffer(&mut self, world: &mut W, site: Site) -> Done<W> {
        let buffer = self.pop()?;
        let value = world.readonly_buffer(site, buffer)?;
        self.push_done(value)
    }
}
