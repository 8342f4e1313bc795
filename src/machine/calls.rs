//! Handlers of names, calls, state and persistent ids.

use super::budget::size;
use super::world::{Done, Role, Site, World};
use super::{HIGHEST_PROTOCOL, Machine, target};
use crate::error::Kind;
use crate::stream::{Reader, text};

impl<V: Default> Machine<V> {
    // ---- globals -----------------------------------------------------------------------------------------------

    pub(super) fn load_global<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        module: &[u8],
        name: &[u8],
    ) -> Done<W> {
        let (module, name) = (text::name(module)?, text::name(name)?);
        let value = world.global(site, module, name)?;
        self.push_done(value)
    }

    pub(super) fn load_stack_global<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let name = self.pop()?;
        let module = self.pop()?;
        let value = world.stack_global(site, module, name)?;
        self.push_done(value)
    }

    pub(super) fn load_ext<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        code: u32,
    ) -> Done<W> {
        let value = world.extension(site, code)?;
        self.push_done(value)
    }

    // ---- calls -------------------------------------------------------------------------------------------------

    pub(super) fn load_reduce<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let args = self.pop()?;
        let callable = self.pop()?;
        let value = world.reduce(site, &mut self.budget, callable, args)?;
        self.push_done(value)
    }

    pub(super) fn load_newobj<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let args = self.pop()?;
        let class = self.pop()?;
        let value = world.newobj(site, &mut self.budget, class, args)?;
        self.push_done(value)
    }

    pub(super) fn load_newobj_ex<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let kwargs = self.pop()?;
        let args = self.pop()?;
        let class = self.pop()?;
        let value = world.newobj_ex(site, &mut self.budget, class, args, kwargs)?;
        self.push_done(value)
    }

    pub(super) fn load_inst<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        module: &[u8],
        name: &[u8],
    ) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let from = self.end_mark(world)?;
        let (module, name) = (text::ascii(module)?, text::ascii(name)?);
        let class = world.global(site, module, name)?;
        self.instance(world, site, class, from, from)
    }

    pub(super) fn load_obj<W: World<Value = V>>(&mut self, world: &mut W, site: Site) -> Done<W> {
        self.budget.memory(size::OBJECT)?;
        let from = self.end_mark(world)?;
        let Some(class) = self.stack.get_mut(from).map(std::mem::take) else {
            return Err(self.underflow().into());
        };
        self.instance(world, site, class, from + 1, from)
    }

    pub(super) fn instance<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        class: V,
        args: usize,
        from: usize,
    ) -> Done<W> {
        let args = self.stack.get_mut(args..).unwrap_or_default();
        let value = world.instance(site, &mut self.budget, class, args)?;
        self.stack.truncate(from);
        self.push_done(value)
    }

    #[inline(always)]
    pub(super) fn load_build<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        self.build(world, self.site(reader))?;
        self.built(world, reader)
    }

    /// What lies raw behind BUILD is no opcode.
    #[inline(always)]
    pub(super) fn built<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        reader: &mut Reader<'_>,
    ) -> Done<W> {
        if let Some(built) = self.stack.last() {
            let raw = world.raw_bytes(&mut self.budget, built, reader.behind())?;
            if raw > 0 {
                reader.aside(|reader| reader.skip(raw));
            }
        }
        Ok(())
    }

    fn build<W: World<Value = V>>(&mut self, world: &mut W, site: Site) -> Done<W> {
        let state = self.pop()?;
        let from = self.stack.len();
        let (object, _) = target(&mut self.stack, &self.marks, from)?;
        world.build(site, &mut self.budget, object, state)
    }

    // ---- persistent ids, framing -------------------------------------------------------------------------------

    pub(super) fn load_persid<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
        id: &[u8],
    ) -> Done<W> {
        if !id.is_ascii() {
            return Err(Kind::PersistentIdText.into());
        }
        let id = world.unicode(&mut self.budget, id, Role::Value)?;
        let value = world.persistent(site, id)?;
        self.push_done(value)
    }

    pub(super) fn load_binpersid<W: World<Value = V>>(
        &mut self,
        world: &mut W,
        site: Site,
    ) -> Done<W> {
        let id = self.pop()?;
        let value = world.persistent(site, id)?;
        self.push_done(value)
    }

    pub(super) fn load_proto<E: From<Kind>>(&mut self, at: u64, version: u8) -> Result<(), E> {
        if version > HIGHEST_PROTOCOL {
            return Err(Kind::UnsupportedProtocol(version).into());
        }
        if at > 0 {
            return Err(Kind::LateProtocol.into());
        }
        self.protocol = version;
        Ok(())
    }

    pub(super) fn load_stop(&mut self) -> Result<V, Kind> {
        self.pop()
    }
}
