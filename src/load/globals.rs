//! The only door to `import`: names of the policy become objects here, and nowhere else.
//!
//! What is imported is the policy's own spelling, never the stream's. Objects are kept with the policy.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pyo3::exceptions::{PyAttributeError, PyImportError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyType};

use super::ffi::{Shelf, Tag, Value};
use super::look::AddressMap;
use super::native::exceptions::is_callable_builtin;
use super::shape::Shape;
use super::{Cause, Desk, Fault, PyWorld};
use crate::error::Kind;
use crate::machine::Machine;
use crate::machine::world::{Done, Made, Site};
use crate::policy::{Attempt, Entry, EntryId, Native, Plan, Policy};

/// An entry's object, and what its class looks like.
#[derive(Debug)]
pub struct Resolved {
    /// The class, function or value.
    pub object: Py<PyAny>,
    /// What the loader must know of it.
    pub shape: Shape,
}

/// The objects of one policy, resolved once each.
#[derive(Default)]
pub struct Cache {
    slots: Box<[PyOnceLock<Resolved>]>,
    /// The native kinds of what the policy lets be called: rights are written in it, and so they stay.
    called: Box<[Option<Native>]>,
    /// Which of the entries are classes of `builtins` that may be called.
    builtins: Box<[bool]>,
    /// Which may stand as a value, whatever their objects are.
    standing: Box<[bool]>,
    by_address: Mutex<AddressMap<EntryId>>,
    /// What the last load left for the next: a machine and a desk.
    spare: Shelf<Box<Spare>>,
}

/// What loads under one policy hand on to each other: a machine and a desk, both emptied.
#[derive(Debug, Default)]
pub struct Spare {
    /// The machine.
    pub machine: Machine<Value>,
    /// The desk.
    pub desk: Desk,
}

impl Cache {
    /// A cache with room for the policy's entries.
    pub fn new(policy: &Policy) -> Self {
        Self {
            slots: policy.entries().map(|_| PyOnceLock::new()).collect(),
            called: policy.entries().map(|(id, _)| policy.called(id)).collect(),
            builtins: policy
                .entries()
                .map(|(_, entry)| is_callable_builtin(policy, entry))
                .collect(),
            standing: policy
                .entries()
                .map(|(id, entry)| entry.grant().is_some() && policy.may_stand(id).is_ok())
                .collect(),
            by_address: Mutex::default(),
            spare: Shelf::default(),
        }
    }

    /// What the last load left, or a new one; a load within a load gets its own.
    #[inline]
    pub fn take_spare(&self, py: Python<'_>) -> Box<Spare> {
        self.spare.take(py).unwrap_or_default()
    }

    /// Leaves it for the next load.
    #[inline]
    pub fn leave_spare(&self, py: Python<'_>, spare: Box<Spare>) {
        drop(self.spare.put(py, spare));
    }

    /// The native kind of an entry that may be called: at each call, its contract is still to be asked.
    #[inline(always)]
    pub fn called(&self, id: EntryId) -> Option<Native> {
        self.called.get(id.0 as usize).copied().flatten()
    }

    /// The object of an entry, where it may stand as a value and was resolved before.
    #[inline]
    fn standing(&self, py: Python<'_>, id: EntryId) -> Option<&Py<PyAny>> {
        let stands = self.standing.get(id.0 as usize).is_some_and(|is| *is);
        self.get(py, id)
            .filter(|_| stands)
            .map(|resolved| &resolved.object)
    }

    /// Whether an entry is a class of `builtins` that may be called: an exception.
    #[inline(always)]
    pub fn is_callable_builtin(&self, id: EntryId) -> bool {
        self.builtins.get(id.0 as usize).is_some_and(|is| *is)
    }

    /// What was resolved before.
    pub fn get(&self, py: Python<'_>, id: EntryId) -> Option<&Resolved> {
        self.slots.get(id.0 as usize)?.get(py)
    }

    /// The entry whose object lives at that address.
    pub fn entry_at(&self, address: usize) -> Option<EntryId> {
        self.by_address.lock().ok()?.get(&address).copied()
    }

    /// Puts an object that the caller of the policy handed over. Whether the cache keeps a reference to that very object:
    /// the collector must be told of each reference once and of no other.
    pub fn put(&self, policy: &Policy, id: EntryId, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        let mut stored = false;
        self.resolve_with(policy, id, object.py(), || {
            stored = true;
            Ok(object.clone())
        })?;
        Ok(stored)
    }

    /// The entry's object, imported where it was not yet. That a name does not exist, or is a module's, is said as a
    /// fault of the load; what a module raises while it is imported passes through.
    pub fn resolve(
        &self,
        py: Python<'_>,
        policy: &Policy,
        id: EntryId,
    ) -> Result<&Resolved, Fault> {
        self.resolve_with(policy, id, py, || import(py, policy.entry(id)))
            .map_err(|error| missing(py, policy.entry(id), error))
    }

    fn resolve_with<'py>(
        &self,
        policy: &Policy,
        id: EntryId,
        py: Python<'py>,
        find: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<&Resolved> {
        let missing = || PyAttributeError::new_err("no such entry in this policy");
        let slot = self.slots.get(id.0 as usize).ok_or_else(missing)?;
        slot.get_or_try_init(py, || {
            let object = find()?;
            let shape = Shape::of(&object)?;
            let entry = policy.entry(id);
            if entry.is_unsettled() {
                entry.settle(shape.grant(&object)?);
            }
            if let Ok(mut by_address) = self.by_address.lock() {
                by_address.entry(object.as_ptr() as usize).or_insert(id);
            }
            Ok(Resolved {
                object: object.unbind(),
                shape,
            })
        })
    }
}

/// Imports the module and walks to the name, as the policy spells them; every alias is tried, since the object lives
/// under a different one in other versions of its library.
fn import<'py>(py: Python<'py>, entry: &Entry) -> PyResult<Bound<'py, PyAny>> {
    let mut first = None;
    for (module, name) in entry.spellings() {
        match import_one(py, module, name) {
            Ok(object) => return Ok(object),
            Err(error)
                if error.is_instance_of::<PyImportError>(py)
                    || error.is_instance_of::<PyAttributeError>(py) =>
            {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or_else(|| PyAttributeError::new_err(entry.path())))
}

/// A name of the policy that leads nowhere.
#[cold]
fn missing(py: Python<'_>, entry: &Entry, error: PyErr) -> Fault {
    let why = |error: &PyErr| {
        format!(
            "{} is allowed and cannot be had, the policy must name what exists: {}",
            entry.path(),
            error.value(py)
        )
    };
    if error.is_instance_of::<PyImportError>(py) {
        Kind::MissingModule(why(&error)).into()
    } else if error.is_instance_of::<PyAttributeError>(py) {
        Kind::MissingName(why(&error)).into()
    } else {
        error.into()
    }
}

fn import_one<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let mut object = py.import(module)?.into_any();
    for part in name.split('.') {
        object = object.getattr(part)?;
    }
    if object.is_instance_of::<PyModule>() {
        return Err(PyAttributeError::new_err(format!(
            "{module}.{name} is a module, and a module is no value"
        )));
    }
    Ok(object)
}

impl<'a, 'py> PyWorld<'a, 'py> {
    /// GLOBAL, STACK_GLOBAL and the class of INST.
    pub(super) fn find_class(&mut self, site: Site, module: &str, name: &str) -> Made<Self> {
        if self.free || self.options.find_class.is_some() {
            return self.find_free(site, module, name);
        }
        let python2 = site.protocol < 3 && self.options.fix_imports;
        let (module, name) = self.policy.canonical(module, name, python2);
        match self.policy.lookup(module, name) {
            Some(id) => self.mention(id),
            None => Err(Kind::ForbiddenGlobal {
                module: module.into(),
                name: name.into(),
            }
            .into()),
        }
    }

    /// EXT: the policy's own mapping; `copyreg`'s cache is never read.
    pub(super) fn find_extension(&mut self, site: Site, code: u32) -> Made<Self> {
        if self.free || self.options.find_class.is_some() {
            return self.find_extension_free(site, code);
        }
        match self.policy.extension(code) {
            Some((module, name)) => match self.policy.lookup(module, name) {
                Some(id) => self.mention(id),
                None => Err(Kind::ForbiddenGlobal {
                    module: module.into(),
                    name: name.into(),
                }
                .into()),
            },
            None => Err(Kind::UnknownExtension(code).into()),
        }
    }

    /// A name of the policy, mentioned. An entry whose rights follow from its object is settled first.
    pub(super) fn mention(&mut self, id: EntryId) -> Made<Self> {
        if self.policy.entry(id).is_unsettled() {
            self.ensure_checked()?;
            self.resolve(id)?;
        }
        match self.judge(id, Attempt::Mention)? {
            Plan::AsIs | Plan::CalleeOnly => Ok(Value::symbol(Tag::Global, id.0)),
            _ => Err(Kind::Malformed("a mention is judged as a mention".into()).into()),
        }
    }

    /// What must hold before an entry's object is used: if its code could run, or it must be imported, the inspector
    /// has passed the whole stream.
    #[inline]
    pub(super) fn prepare(&mut self, id: EntryId) -> Done<Self> {
        let entry = self.policy.entry(id);
        if self.checked && entry.runs_code()
            || !entry.runs_code() && self.cache.get(self.py, id).is_some()
        {
            return Ok(());
        }
        if entry.runs_code() {
            return self.ensure_checked();
        }
        self.ensure_imported(&entry.module)?;
        self.cache.resolve(self.py, self.policy, id)?;
        Ok(())
    }

    /// `max_expanded`: only the inspector knows how large a result is before it is made.
    #[inline]
    pub(super) fn bound_expansion(&mut self) -> Done<Self> {
        match self.limits.max_expanded {
            None => Ok(()),
            Some(_) if self.checked => self.inspect_expansion(),
            Some(_) => self.ensure_checked(),
        }
    }

    /// Where nothing else is asked of the inspector, nothing else that it finds counts.
    #[cold]
    fn inspect_expansion(&mut self) -> Done<Self> {
        match self.inspect()?.fault.map(|fault| fault.kind) {
            Some(kind @ Kind::Limit { .. }) => Err(kind.into()),
            _ => Ok(()),
        }
    }

    /// The inspector passes the whole stream, or nothing happens.
    #[cold]
    pub(super) fn ensure_checked(&mut self) -> Done<Self> {
        self.end_work();
        while !self.checked {
            let named = self.pass()?;
            let unsettled: Vec<_> = named
                .into_iter()
                .filter(|id| self.policy.entry(*id).is_unsettled())
                .collect();
            self.checked = unsettled.is_empty();
            for id in unsettled {
                self.cache.resolve(self.py, self.policy, id)?;
            }
        }
        Ok(())
    }

    /// The names of the stream, if the inspector lets all of it pass. What it has against one is looked for in a second
    /// run: most streams pass.
    fn pass(&mut self) -> Result<Vec<EntryId>, Fault> {
        let options = self.inspect_options();
        let passes = || {
            self.stream
                .passes(self.policy, &options, &self.desk.remembered)
        };
        if let Some(passed) = timed(passes)? {
            self.liveness = passed.liveness;
            return Ok(passed.names);
        }
        let inspection = self.inspect()?;
        if inspection.allowed() {
            return Ok(inspection.entries().collect());
        }
        Err(Cause::Refused(Box::new(inspection)).into())
    }

    /// A module of the standard library that a native type needs: importing it waits for the inspector too.
    pub(super) fn ensure_imported(&mut self, module: &str) -> Done<Self> {
        if self.checked
            || self
                .py
                .import("sys")?
                .getattr("modules")?
                .contains(module)?
        {
            return Ok(());
        }
        self.ensure_checked()
    }

    /// The entry's object. An import that is still to be done waits for the inspector.
    pub(super) fn resolve(&mut self, id: EntryId) -> Result<&'a super::globals::Resolved, Fault> {
        if let Some(resolved) = self.cache.get(self.py, id) {
            return Ok(resolved);
        }
        self.prepare(id)?;
        self.cache.resolve(self.py, self.policy, id)
    }

    /// The entry's class.
    pub(super) fn class(&mut self, id: EntryId) -> Result<Bound<'py, PyType>, Fault> {
        let object = self.resolve(id)?.object.bind(self.py);
        match object.cast::<PyType>() {
            Ok(class) => Ok(class.clone()),
            Err(_) => Err(Kind::BadType(format!(
                "NEWOBJ class argument must be a type, not {}",
                object.get_type().name()?
            ))
            .into()),
        }
    }

    /// Turns a symbol into the object that stands for it, if it may be a value.
    #[inline(always)]
    pub(super) fn materialize(&mut self, value: &mut Value) -> Done<Self> {
        if value.is_symbolic() {
            self.materialize_symbol(value)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn materialize_symbol(&mut self, value: &mut Value) -> Done<Self> {
        match value.tag() {
            Tag::Global => {
                let id = EntryId(value.entry());
                if let Some(object) = self.cache.standing(self.py, id) {
                    *value = Value::plain(object.bind(self.py).clone());
                    return Ok(());
                }
                self.policy
                    .may_stand(id)
                    .map_err(|refusal| self.refused(id, refusal))?;
                let object = self.resolve(id)?.object.bind(self.py).clone();
                *value = Value::plain(object);
                Ok(())
            }
            Tag::Symbol => Err(Kind::BadTarget(
                "arguments of a call may not be a value: they hold a name that may only be called"
                    .into(),
            )
            .into()),
            _ => self.require_built(value),
        }
    }
}

/// How often loads have had a stream inspected, and for how many nanoseconds.
static INSPECTED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Runs the inspection of a load; the build for the tests looks at the clock.
fn timed<T>(inspect: impl FnOnce() -> T) -> T {
    if !cfg!(feature = "testing") {
        return inspect();
    }
    let started = Instant::now();
    let found = inspect();
    let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    for (total, more) in INSPECTED.iter().zip([1, nanoseconds]) {
        total.fetch_add(more, Ordering::Relaxed);
    }
    found
}

/// How often loads of this process have had a stream inspected before code could run, and for how many nanoseconds;
/// `None` where nobody looked at the clock.
pub fn inspected() -> Option<[u64; 2]> {
    let read = || {
        INSPECTED
            .each_ref()
            .map(|total| total.load(Ordering::Relaxed))
    };
    cfg!(feature = "testing").then(read)
}

/// `Unpickler.find_class`: the policy's object for a pair of the stream.
pub fn find_one<'py>(
    py: Python<'py>,
    policy: &Policy,
    cache: &Cache,
    protocol: u8,
    fix_imports: bool,
    module: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Fault> {
    if policy.is_unrestricted() {
        return Ok(super::free::pickles_find_class(
            py,
            protocol,
            fix_imports,
            module,
            name,
        )?);
    }
    let (module, name): (String, String) = (module.extract()?, name.extract()?);
    let (module, name) = policy.canonical(&module, &name, protocol < 3 && fix_imports);
    match policy.lookup(module, name) {
        Some(id) => Ok(cache.resolve(py, policy, id)?.object.bind(py).clone()),
        None => Err(Kind::ForbiddenGlobal {
            module: module.into(),
            name: name.into(),
        }
        .into()),
    }
}
