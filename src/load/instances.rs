//! The quick way to instances of plain classes: NEWOBJ without arguments or of a genuine namedtuple, and BUILD with the
//! attributes straight from the stack, no state dict made. 2 to 4.5 times as fast as the way through a dict.
//!
//! Only for classes without hooks of their own: `object.__new__` or a namedtuple's, a stock `__getattribute__`, no
//! `__setstate__` but the one that `dataclasses` writes. A `__setattr__` and the descriptors of a class are passed by, as
//! `pickle` passes them by: it sets attributes in the `__dict__`. What was found is distrusted as soon as the interpreter
//! says that the class has changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyType};

use super::ffi::{self, Tag, Value};
use super::ways::{States, Ways, generated_setstate};
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::Done;
use crate::policy::{Attempt, EntryId, Meaning};

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
    /// Names at which a descriptor stands in the way.
    guarded: Arc<BTreeSet<Box<str>>>,
    /// The names of its fields, where state is their values.
    fields: Vec<Value>,
}

/// A key of a state that the policy has agreed to for an entry. The str is kept, so its address stays its own.
#[derive(Debug)]
struct Key {
    id: EntryId,
    /// The version of the class when this was found.
    version: u32,
    text: Value,
    interned: Value,
    /// A descriptor of the class stands at that name.
    guarded: bool,
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
        let entry = self.policy.entry(id);
        let stock = entry.meaning == Meaning::Object || class.is(self.py.get_type::<PyAny>());
        let ways = if entry.runs_code() || !stock {
            Ways::default()
        } else {
            self.desk.types.insert(class.as_ptr() as usize, id);
            self.desk.last_type = (class.as_ptr() as usize, id);
            seen.ways
        };
        let fields = match ways.state {
            States::Fields => generated_setstate(class).ok()??,
            _ => Vec::new(),
        };
        let fields = fields.iter().map(|name| {
            let mut name = Value::plain(PyString::new(self.py, name).into_any());
            ffi::intern(&mut name);
            name
        });
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
            guarded: seen.guarded,
            fields: fields.collect(),
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
        let wanted = if slots {
            States::Slots
        } else {
            States::Attributes
        };
        self.states(object) == wanted
    }

    /// How the state of an instance may be set.
    #[inline]
    fn states(&mut self, object: &Value) -> States {
        let class = self.quick_class(EntryId(object.entry()));
        class.map_or(States::None, |class| class.ways.state)
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
        let mut now = self.as_now(id);
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            self.set_one(id, &mut now, object, key, value)?;
        }
        object.set_tag(Tag::Made);
        Ok(())
    }

    /// How a class takes state now, and its version.
    #[inline]
    fn as_now(&mut self, id: EntryId) -> (States, u32) {
        self.quick_class(id)
            .map_or((States::None, 0), |class| (class.ways.state, class.version))
    }

    /// Sets an attribute or a slot of an instance, as its class allows it now.
    #[inline]
    fn set_one(
        &mut self,
        id: EntryId,
        now: &mut (States, u32),
        object: &Value,
        key: &Value,
        value: &Value,
    ) -> Done<Self> {
        let py = self.py;
        let (states, version) = *now;
        let known = self.known_key(id, version, key)?;
        if states != States::None && !known.guarded {
            return Ok(ffi::set_attribute(py, object, &known.interned, value)?);
        }
        let name = known.interned.share();
        self.set_guarded(object, &name, value)?;
        *now = self.as_now(id);
        Ok(())
    }

    /// As `pickle` does it: into the `__dict__`, or by `setattr` where there is none.
    #[cold]
    fn set_guarded(&mut self, object: &Value, name: &Value, value: &Value) -> Done<Self> {
        let (instance, value) = (object.bound(self.py), value.bound(self.py));
        let dict = pyo3::intern!(self.py, "__dict__");
        if let Some(attributes) = instance.getattr_opt(dict)? {
            return Ok(attributes.set_item(name.bound(self.py), value)?);
        }
        self.ensure_checked()?;
        let name = name.bound(self.py).cast::<PyString>();
        Ok(instance.setattr(name.map_err(PyErr::from)?, value)?)
    }

    /// BUILD with a list of the values of a dataclass's fields: five times as fast as the `__setstate__` that
    /// `dataclasses` writes. `false`: this is not such an instance.
    pub(super) fn set_fields(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Result<bool, Fault> {
        if object.tag() != Tag::Fresh
            || object.is_symbolic()
            || self.states(object) != States::Fields
        {
            return Ok(false);
        }
        let id = EntryId(object.entry());
        if !self.judge_plainly(id, Attempt::State(state))? {
            return Ok(false);
        }
        self.charge_state(budget, state)?;
        self.nest_state(budget, object, state)?;
        let py = self.py;
        let Some(class) = self.desk.quick.class(id) else {
            return Ok(false);
        };
        let values = state.bound(py).cast_exact::<PyList>();
        for (name, value) in class.fields.iter().zip(values.map_err(PyErr::from)?) {
            ffi::set_attribute(py, object, name, &Value::plain(value))?;
        }
        object.set_tag(Tag::Made);
        Ok(true)
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
        self.nest_state(budget, object, state)?;
        let pairs = state
            .bound(self.py)
            .cast_exact::<PyDict>()
            .map_err(|_| Kind::StateNotDict)?;
        let mut now = self.as_now(id);
        for (key, value) in pairs {
            let (key, value) = (Value::plain(key), Value::plain(value));
            self.set_one(id, &mut now, object, &key, &value)?;
        }
        object.set_tag(Tag::Made);
        Ok(())
    }

    /// A key that the policy agrees to, for a class of that version.
    #[inline]
    fn known_key(&mut self, id: EntryId, version: u32, key: &Value) -> Result<&Key, Fault> {
        let home = (key.address() >> 4) % KEYS;
        let known = (home..home + PROBES).find(|at| match self.desk.quick.keys.get(*at) {
            Some(Some(known)) => {
                known.text.address() == key.address() && known.id == id && known.version == version
            }
            _ => false,
        });
        let at = match known {
            Some(at) => at,
            None => self.meet_key(id, version, key, home)?,
        };
        match self.desk.quick.keys.get(at) {
            Some(Some(known)) => Ok(known),
            _ => Err(Kind::StateNotDict.into()),
        }
    }

    #[cold]
    fn meet_key(
        &mut self,
        id: EntryId,
        version: u32,
        key: &Value,
        home: usize,
    ) -> Result<usize, Fault> {
        let mut guarded = true;
        let judged = match key
            .has_object()
            .then(|| key.bound(self.py).cast_exact::<PyString>())
        {
            Some(Ok(text)) => match text.to_str() {
                Ok(text) => {
                    if let Some(class) = self.desk.quick.class(id) {
                        guarded = class.guarded.contains(text);
                    }
                    self.policy
                        .may_set(id, text)
                        .map_err(|refusal| self.refused(id, refusal))
                }
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
                version,
                text: key.share(),
                interned,
                guarded,
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
