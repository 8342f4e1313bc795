//! What every opcode means in objects: the [`World`] of the loader. The hot methods are whole here; the rest is a call
//! into the room that knows.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::ffi::{self, Survey, Tag, Value};
use super::{Encoding, Fault, PyWorld};
use crate::error::Kind;
use crate::machine::Liveness;
use crate::machine::budget::{Budget, size};
use crate::machine::world::{Done, Made, Role, Site, World};
use crate::stream::atoms::Short;
use crate::stream::text;

/// The text of a str without lone surrogates.
fn str_of<'v>(value: &'v Bound<'_, PyAny>) -> Option<&'v str> {
    value.cast::<PyString>().ok()?.to_str().ok()
}

impl World for PyWorld<'_, '_> {
    type Value = Value;
    type Fault = Fault;

    #[inline(always)]
    fn is_hole(value: &Value) -> bool {
        value.is_hole()
    }

    #[inline(always)]
    fn share(&mut self, value: &Value) -> Value {
        value.share()
    }

    #[inline(always)]
    fn took_all(&mut self) -> bool {
        std::mem::take(&mut self.took_all)
    }

    fn tick(&mut self) -> Done<Self> {
        // A handler is anybody's code, and what the collector finds may have finalizers.
        let paused = self.collector.resume();
        let taken = self.arenas.give_back();
        if paused {
            self.collector.age(self.py)?;
        }
        self.py.check_signals()?;
        if paused {
            self.collector.pause(self.py);
        }
        if taken {
            self.arenas.take(self.py);
        }
        Ok(())
    }

    #[inline(always)]
    fn none(&mut self) -> Value {
        ffi::none(self.py)
    }

    #[inline(always)]
    fn bool(&mut self, value: bool) -> Value {
        ffi::bool(self.py, value)
    }

    #[inline(always)]
    fn int(&mut self, value: i64) -> Made<Self> {
        Ok(ffi::int(self.py, value)?)
    }

    fn long(&mut self, bytes: &[u8]) -> Made<Self> {
        Ok(ffi::long(self.py, bytes)?)
    }

    fn decimal(&mut self, digits: &[u8]) -> Made<Self> {
        let text = std::str::from_utf8(digits).unwrap_or_default();
        let int = self.py.get_type::<pyo3::types::PyInt>();
        Ok(Value::plain(int.call1((text,))?))
    }

    #[inline(always)]
    fn float(&mut self, value: f64) -> Made<Self> {
        Ok(ffi::float(self.py, value)?)
    }

    #[inline(always)]
    fn unicode(&mut self, budget: &mut Budget, utf8: &[u8], role: Role) -> Made<Self> {
        if text::is_ascii(utf8) {
            budget.memory(size::ASCII + utf8.len() as u64)?;
            if role == Role::Key {
                return Ok(self.desk.key_strings.key(self.py, utf8)?);
            }
            return Ok(ffi::ascii(self.py, utf8)?);
        }
        self.wide(budget, utf8)
    }

    #[inline(always)]
    fn quick_int(&mut self, value: i64) -> Value {
        ffi::quick_int(self.py, value)
    }

    fn liveness(&mut self) -> Option<Liveness> {
        self.liveness.take()
    }

    #[inline(always)]
    fn quick_float(&mut self, value: f64) -> Value {
        ffi::quick_float(self.py, value)
    }

    #[inline(always)]
    fn quick_unicode(&mut self, budget: &mut Budget, utf8: &[u8], role: Role) -> Value {
        if !text::is_ascii(utf8) {
            return self.wide(budget, utf8).unwrap_or_default();
        }
        if !budget.took(size::ASCII + utf8.len() as u64) {
            return Value::default();
        }
        if role == Role::Key {
            return self.desk.key_strings.quick_key(self.py, utf8);
        }
        ffi::quick_ascii(self.py, utf8)
    }

    #[inline(always)]
    fn quick_short(&mut self, budget: &mut Budget, text: Short, role: Role) -> Value {
        if !text.is_ascii() || text.length < 2 {
            return self.quick_unicode(budget, text.bytes(), role);
        }
        if !budget.took(size::ASCII + text.length as u64) {
            return Value::default();
        }
        if role == Role::Key {
            return self.desk.key_strings.short_key(self.py, text);
        }
        ffi::quick_short(self.py, text)
    }

    #[inline(always)]
    fn quick_bytes(&mut self, bytes: &[u8]) -> Value {
        ffi::quick_bytes(self.py, bytes)
    }

    fn string(&mut self, budget: &mut Budget, bytes: &[u8]) -> Made<Self> {
        budget.memory(size::TEXT + bytes.len() as u64 * 2)?;
        match &self.options.encoding {
            Encoding::Bytes => Ok(ffi::bytes(self.py, bytes)?),
            Encoding::Ascii => {
                text::ascii(bytes)?;
                Ok(ffi::ascii(self.py, bytes)?)
            }
            Encoding::Latin1 => Ok(ffi::latin1(self.py, bytes)?),
            Encoding::Codec { encoding, errors } => {
                let bytes = pyo3::types::PyBytes::new(self.py, bytes);
                let text = bytes.call_method1("decode", (encoding, errors))?;
                Ok(Value::plain(text))
            }
        }
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) -> Made<Self> {
        Ok(ffi::bytes(self.py, bytes)?)
    }

    fn bytearray(&mut self, bytes: &[u8]) -> Made<Self> {
        Ok(ffi::bytearray(self.py, bytes)?)
    }

    #[inline(always)]
    fn tuple(&mut self, budget: &mut Budget, items: &mut [Value]) -> Made<Self> {
        let survey = Survey::of(items);
        if survey.symbolic() {
            return self.symbolic_tuple(budget, items);
        }
        Self::nest(budget, survey)?;
        self.took_all = true;
        Ok(ffi::tuple(self.py, items, survey)?)
    }

    #[inline(always)]
    fn list(&mut self, budget: &mut Budget, items: &mut [Value]) -> Made<Self> {
        let mut list = ffi::list(self.py)?;
        if !items.is_empty() {
            let survey = self.settle(items)?;
            list.set_depth(Self::nest(budget, survey)?);
            ffi::list_extend(self.py, &list, items)?;
        }
        Ok(list)
    }

    #[inline(always)]
    fn dict(&mut self, budget: &mut Budget, pairs: &mut [Value]) -> Made<Self> {
        let mut dict = ffi::dict(self.py)?;
        if !pairs.is_empty() {
            self.fill_dict(budget, &mut dict, pairs)?;
        }
        Ok(dict)
    }

    fn set(&mut self) -> Made<Self> {
        Ok(ffi::set(self.py)?)
    }

    fn frozenset(&mut self, budget: &mut Budget, items: &mut [Value]) -> Made<Self> {
        let mut set = ffi::frozenset(self.py)?;
        self.fill_set(budget, &mut set, items)?;
        Ok(set)
    }

    #[inline(always)]
    fn extend(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        if target.tag() != Tag::List {
            return self.extend_deque(site, budget, target, items);
        }
        let survey = self.settle(items)?;
        let depth = Self::nest(budget, survey)?;
        if depth > target.depth() {
            target.set_depth(depth);
        }
        self.took_all = cfg!(not(Py_GIL_DISABLED));
        Ok(ffi::list_extend(self.py, target, items)?)
    }

    #[inline(always)]
    fn set_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        if target.tag() != Tag::Dict {
            return self.fill_default_dict(site, budget, target, pairs);
        }
        self.fill_dict(budget, target, pairs)
    }

    fn add_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        if target.tag() != Tag::Set {
            return self.add_items_other(site, budget, target, items);
        }
        self.fill_set(budget, target, items)
    }

    fn global(&mut self, site: Site, module: &str, name: &str) -> Made<Self> {
        self.find_class(site, module, name)
    }

    fn stack_global(&mut self, site: Site, module: Value, name: Value) -> Made<Self> {
        if !module.is_str() || !name.is_str() {
            return Err(Kind::StackGlobalType.into());
        }
        let (module, name) = (module.into_bound(self.py), name.into_bound(self.py));
        match (str_of(&module), str_of(&name)) {
            (Some(module), Some(name)) => self.find_class(site, module, name),
            _ if self.free || self.options.find_class.is_some() => {
                self.find_raw(site, module, name)
            }
            _ => Err(Kind::StackGlobalType.into()),
        }
    }

    fn extension(&mut self, site: Site, code: u32) -> Made<Self> {
        self.find_extension(site, code)
    }

    fn reduce(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Value,
        args: Value,
    ) -> Made<Self> {
        self.call_with_tuple(site, budget, &callable, &args)
    }

    #[inline(always)]
    fn reduce_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Value,
        args: &mut [Value],
        alone: impl Fn() -> bool,
    ) -> Made<Self> {
        let value = self.call_directly(budget, &callable, args, alone)?;
        if !value.is_hole() {
            return Ok(value);
        }
        let value = self.call_exception(budget, &callable, args)?;
        if !value.is_hole() {
            return Ok(value);
        }
        self.call(site, budget, &callable, args)
    }

    fn newobj(&mut self, site: Site, budget: &mut Budget, class: Value, args: Value) -> Made<Self> {
        self.new_with_tuple(site, budget, &class, &args)
    }

    #[inline]
    fn newobj_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Value,
        args: &mut [Value],
    ) -> Made<Self> {
        if let Some(value) = self.quick_instance(budget, &class, args)? {
            return Ok(value);
        }
        self.new_instance(site, budget, &class, args)
    }

    fn newobj_ex(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Value,
        args: Value,
        kwargs: Value,
    ) -> Made<Self> {
        self.new_with_keywords(site, budget, &class, &args, &kwargs)
    }

    fn instance(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Value,
        args: &mut [Value],
    ) -> Made<Self> {
        self.instantiate(site, budget, &class, args)
    }

    fn build(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Value,
        state: Value,
    ) -> Done<Self> {
        if state.tag() == Tag::Dict {
            if self.is_new_namespace(object) {
                return self.build_namespace(budget, object, &state);
            }
            if self.is_new_exception(object) {
                return self.build_exception(budget, object, &state);
            }
        }
        self.give_state(site, budget, object, state)
    }

    fn build_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        if object.tag() == Tag::Fresh && self.fill_array(budget, object, items)? {
            return Ok(());
        }
        let state = self.tuple(budget, items)?;
        self.give_state(site, budget, object, state)
    }

    #[inline(always)]
    fn is_dict(value: &Value) -> bool {
        value.tag() == Tag::Dict
    }

    #[inline(always)]
    fn is_none(value: &Value) -> bool {
        value.is_none()
    }

    fn takes_attributes(&mut self, object: &Value, slots: bool) -> bool {
        !slots && (self.is_new_namespace(object) || self.is_new_exception(object))
            || self.takes_quickly(object, slots)
    }

    fn build_attributes(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Value,
        pairs: &mut [Value],
        slots: bool,
    ) -> Done<Self> {
        let filled = if slots {
            return self.set_quickly(budget, object, pairs);
        } else if self.is_new_namespace(object) {
            self.fill_namespace(budget, object, pairs)?
        } else if self.is_new_exception(object) {
            self.fill_exception(budget, object, pairs)?
        } else {
            return self.set_quickly(budget, object, pairs);
        };
        if filled {
            return Ok(());
        }
        // It is not to be given: who knows why is asked.
        let state = self.dict(budget, pairs)?;
        self.give_state(site, budget, object, state)
    }

    fn persistent(&mut self, site: Site, id: Value) -> Made<Self> {
        self.load_persistent(site, id)
    }

    fn next_buffer(&mut self, _site: Site) -> Made<Self> {
        self.take_buffer()
    }

    fn readonly_buffer(&mut self, _site: Site, buffer: Value) -> Made<Self> {
        self.make_readonly(buffer)
    }
}
