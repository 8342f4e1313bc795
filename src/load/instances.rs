//! The quick way to instances of plain classes: NEWOBJ without arguments or of a genuine namedtuple, and BUILD with the
//! attributes straight from the stack, no state dict made. 2 to 4.5 times as fast as the way through a dict.
//!
//! Only for classes without hooks of their own: `object.__new__` or a namedtuple's, stock `__getattribute__` and
//! `__setattr__`, no `__setstate__`, no descriptor that an attribute could meet. What was found is distrusted as soon as
//! the interpreter says that the class has changed.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use super::ffi::{self, Tag, Value};
use super::ways::Ways;
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::Done;
use crate::policy::{Attempt, EntryId};

/// Keys that were judged, by the address of their str; a power of two.
const KEYS: usize = 64;
/// Places that a key may be at, from its own on.
const PROBES: usize = 4;

/// Classes that are kept at hand, by their entries; a power of two.
const CLASSES: usize = 16;

/// The classes that instances were made of, and the keys that their state may have.
#[derive(Debug, Default)]
pub(super) struct Quick {
    classes: Vec<Option<Class>>,
    keys: Vec<Option<Key>>,
}

#[derive(Debug, Clone)]
struct Class {
    id: EntryId,
    ways: Ways,
    version: u32,
    /// A reference to the class itself.
    object: Value,
    /// Whether the policy has agreed to instances without arguments.
    made_plainly: bool,
}

/// A key of a state that the policy has agreed to for an entry. The str is kept, so its address stays its own.
#[derive(Debug)]
struct Key {
    id: EntryId,
    text: Value,
    interned: Value,
}

impl Quick {
    /// The class of an entry, if it is known and as it was met.
    #[inline(always)]
    fn class(&mut self, id: EntryId) -> Option<&mut Class> {
        let class = self.classes.get_mut(id.0 as usize % CLASSES)?.as_mut()?;
        (class.id == id && ffi::version_of(&class.object) == class.version).then_some(class)
    }
}

impl PyWorld<'_, '_> {
    /// The class of an entry, if its instances may be made or filled quickly.
    #[inline]
    fn quick_class(&mut self, id: EntryId) -> Option<&mut Class> {
        // Asked twice: what is found may not be returned on one way only.
        if self.desk.quick.class(id).is_none() {
            self.meet_class(id)?;
        }
        self.desk.quick.class(id)
    }

    /// Puts the class of an entry where it is at hand; one that allows no quick way, too.
    #[cold]
    fn meet_class(&mut self, id: EntryId) -> Option<()> {
        let resolved = self.cache.get(self.py, id)?;
        let class = resolved.object.bind(self.py).cast::<PyType>().ok()?;
        let seen = resolved.shape.seen(class).ok()?;
        if seen.version == 0 {
            return None;
        }
        let ways = if self.policy.entry(id).runs_code() {
            Ways::default()
        } else {
            self.desk.types.insert(class.as_ptr() as usize, id);
            self.desk.last_type = (class.as_ptr() as usize, id);
            seen.ways
        };
        let classes = &mut self.desk.quick.classes;
        if classes.is_empty() {
            classes.resize_with(CLASSES, || None);
        }
        *classes.get_mut(id.0 as usize % CLASSES)? = Some(Class {
            id,
            ways,
            version: seen.version,
            object: Value::plain(class.clone().into_any()),
            made_plainly: false,
        });
        Some(())
    }

    /// NEWOBJ of a class that is known to be plain. `None`: the long way.
    #[inline]
    pub(super) fn quick_instance(
        &mut self,
        budget: &mut Budget,
        class: &Value,
        args: &mut [Value],
    ) -> Result<Option<Value>, Fault> {
        if class.tag() != Tag::Global {
            return Ok(None);
        }
        let id = EntryId(class.entry());
        let py = self.py;
        let Some(known) = self.quick_class(id) else {
            return Ok(None);
        };
        if args.is_empty() && known.ways.plain_new {
            if !known.made_plainly {
                self.judge(id, Attempt::New(args))?;
            }
            let Some(known) = self.quick_class(id) else {
                return Ok(None);
            };
            known.made_plainly = true;
            return Ok(Some(ffi::plain_instance(py, &known.object, id.0)?));
        }
        if known.ways.namedtuple == Some(args.len()) {
            let object = known.object.share();
            self.judge(id, Attempt::New(args))?;
            let survey = self.settle(args)?;
            let depth = Self::nest(budget, survey)?;
            let mut value = ffi::tuple_instance(py, &object, args, id.0)?;
            value.set_depth(depth);
            return Ok(Some(value));
        }
        Ok(None)
    }

    /// Whether a fresh instance's state may be set attribute by attribute.
    #[inline]
    pub(super) fn takes_quickly(&mut self, object: &Value, slots: bool) -> bool {
        if object.tag() != Tag::Fresh || object.is_symbolic() {
            return false;
        }
        match self.quick_class(EntryId(object.entry())) {
            Some(class) if slots => class.ways.slots,
            Some(class) => class.ways.attributes,
            None => false,
        }
    }

    /// BUILD with alternating names and values.
    pub(super) fn set_quickly(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        let id = EntryId(object.entry());
        let survey = self.settle(pairs)?;
        let depth = Self::nest(budget, survey)? + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        let py = self.py;
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            let name = self.attribute_name(id, key)?;
            ffi::set_attribute(py, object, name, value)?;
        }
        object.set_tag(Tag::Made);
        Ok(())
    }

    /// BUILD with a dict that was made, because its slot of the memo is not known to be dead: the first few instances of
    /// a load, before the memo is scanned. 1.3 times as fast on twenty instances as the way through `__dict__`, whose
    /// charges it has.
    pub(super) fn set_quickly_from(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Done<Self> {
        let id = EntryId(object.entry());
        self.charge_state(budget, state)?;
        let depth = state.depth() + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        self.charge_copy(budget, state)?;
        self.chain_inside(budget, object, state)?;
        let py = self.py;
        let pairs = state
            .bound(py)
            .cast_exact::<PyDict>()
            .map_err(|_| Kind::StateNotDict)?;
        for (key, value) in pairs {
            let name = self.attribute_name(id, &Value::plain(key))?;
            ffi::set_attribute(py, object, name, &Value::plain(value))?;
        }
        object.set_tag(Tag::Made);
        Ok(())
    }

    /// The interned name for a key that the policy agrees to.
    #[inline]
    fn attribute_name(&mut self, id: EntryId, key: &Value) -> Result<&Value, Fault> {
        let home = (key.address() >> 4) % KEYS;
        let known = (home..home + PROBES).find(|at| match self.desk.quick.keys.get(*at) {
            Some(Some(known)) => known.text.address() == key.address() && known.id == id,
            _ => false,
        });
        let at = match known {
            Some(at) => at,
            None => self.meet_key(id, key, home)?,
        };
        match self.desk.quick.keys.get(at) {
            Some(Some(known)) => Ok(&known.interned),
            _ => Err(Kind::StateNotDict.into()),
        }
    }

    #[cold]
    fn meet_key(&mut self, id: EntryId, key: &Value, home: usize) -> Result<usize, Fault> {
        let judged = match key
            .has_object()
            .then(|| key.bound(self.py).cast_exact::<PyString>())
        {
            Some(Ok(text)) => match text.to_str() {
                Ok(text) => self
                    .policy
                    .may_set(id, text)
                    .map_err(|refusal| self.refused(id, refusal)),
                Err(_) => Err(self.bad_key(id, "a str with lone surrogates")),
            },
            _ => Err(self.bad_key(id, &self.describe(key))),
        };
        judged?;
        let mut interned = key.share();
        ffi::intern(&mut interned);
        if self.desk.quick.keys.is_empty() {
            self.desk.quick.keys.resize_with(KEYS + PROBES, || None);
        }
        // The first place that is free; where none is, the last to come gives way.
        let free = |at: &usize| matches!(self.desk.quick.keys.get(*at), Some(None));
        let at = (home..home + PROBES).find(free).unwrap_or(home);
        if let Some(slot) = self.desk.quick.keys.get_mut(at) {
            *slot = Some(Key {
                id,
                text: key.share(),
                interned,
            });
        }
        Ok(at)
    }

    #[cold]
    fn bad_key(&self, id: EntryId, what: &str) -> Fault {
        let why = format!("a key of its state is {what}");
        self.refused(
            id,
            crate::policy::Refusal {
                attempt: "given state",
                why,
            },
        )
    }
}
