//! `picklist.Policy`: an allowlist as a Python value, shaped like the `pickle` module. Keeps the policy room's policy
//! together with the objects that the caller gave for it; decides nothing.

mod assemble;
mod documents;
mod members;
mod memory;
mod module;
mod show;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyModule, PyString, PyTuple, PyType};

use super::allow::{Target, items, wrong};
use super::errors::policy_error;
use super::functions::{load_once, loads_with};
use super::limits::Limits;
use super::verdict::Verdict;
use crate::load::globals::Cache;
use crate::machine::budget;
use crate::policy::{Policy, split_path};
use assemble::{add, extensions, renamed};
use documents::Notes;
pub use memory::{default_policy, known_default_policy, with_allow};

/// An allowlist: what pickles may mention, call, instantiate and fill.
///
/// A policy is immutable, hashable, equal by content, safe to share between threads, and
/// picklable.  It has the shape of the `pickle` module: ``policy.loads``, ``policy.load`` and
/// ``policy.Unpickler`` are bound to it, the rest is pickle's own, so that it can be given to
/// whatever takes a ``pickle_module``.
///
/// Parameters
/// ----------
/// allow : iterable of type, callable, str or Allow, optional
///     A class gets what its own pickles need, a function may be called.  Names are
///     ``"pkg.mod.Name"``, or ``"pkg.mod:Outer.Inner"`` for a nested class: without a colon the
///     module ends at the last dot.  Classes and functions given as such are never imported.
/// base : str or iterable of str, default "std"
///     The presets to start from; ``"plain"`` has no names at all.
/// rename : mapping, optional
///     Names to look up under another: ``{("old.mod", "Old"): ("pkg.mod", "New")}``, or a whole
///     module, ``{"old.mod": "pkg.mod"}``.
/// ext : mapping of int to (str, str), optional
///     The names that extension codes stand for; they must be allowed like any other.
///     `copyreg`'s registry is never read.
/// persistent_load : callable, optional
///     Resolves persistent ids for every load under the policy.
/// limits : Limits, optional
///     What a load may cost.
///
/// Raises
/// ------
/// PolicyError
///     If a name, preset or contract is wrong, or an entry is a universal gadget, which would run
///     whatever the writer of the pickle likes.
///
/// Examples
/// --------
/// >>> policy = Policy(["fractions.Fraction"], base="plain")
/// >>> "fractions.Fraction" in policy, "os.system" in policy
/// (True, False)
#[pyclass(module = "picklist", name = "Policy", frozen, weakref)]
pub struct PyPolicy {
    /// The policy.
    pub inner: Arc<Policy>,
    /// Its objects.
    pub cache: Arc<Cache>,
    /// Limits of every load under it.
    pub limits: Option<budget::Limits>,
    /// Resolves persistent ids in every load under it.
    pub persistent_load: Option<Py<PyAny>>,
    /// What the caller gave as objects, in the order given.
    given: Vec<Target>,
    /// Which of them the cache holds as well.
    cached: Vec<bool>,
    /// Comments of the document that `to_toml` writes.
    notes: Notes,
    /// Of the standard library, so that the garbage collector can look in.
    unpickler: OnceLock<Py<PyType>>,
}

#[pymethods]
impl PyPolicy {
    #[new]
    #[pyo3(
        signature = (allow=None, *, base=None, rename=None, ext=None, persistent_load=None, limits=None),
        text_signature = "(allow=(), *, base='std', rename=None, ext=None, persistent_load=None, limits=None)"
    )]
    fn new(
        py: Python<'_>,
        allow: Option<&Bound<'_, PyAny>>,
        base: Option<&Bound<'_, PyAny>>,
        rename: Option<&Bound<'_, PyMapping>>,
        ext: Option<&Bound<'_, PyMapping>>,
        persistent_load: Option<&Bound<'_, PyAny>>,
        limits: Option<&Bound<'_, Limits>>,
    ) -> PyResult<Self> {
        let bases = match base {
            None => vec!["std".to_owned()],
            Some(base) if base.is_instance_of::<PyString>() => vec![base.extract()?],
            Some(base) => base
                .try_iter()?
                .map(|name| name?.extract())
                .collect::<PyResult<_>>()?,
        };
        let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
        let mut builder = Policy::preset(&bases).map_err(|error| wrong(py, &error))?;
        if let Some(rename) = rename {
            builder = renamed(builder, rename)?;
        }
        if let Some(ext) = ext {
            builder = extensions(builder, ext)?;
        }
        let persistent_load = match persistent_load {
            Some(load) if !load.is_callable() => {
                let kind = load.get_type().name()?;
                return Err(PyTypeError::new_err(format!(
                    "persistent_load must be callable, not {kind}"
                )));
            }
            load => load.map(|load| load.clone().unbind()),
        };
        let allow = allow.map(items).transpose()?.unwrap_or_default();
        let base = builder.build().map_err(|error| wrong(py, &error))?;
        let limits = limits.map(|limits| limits.get().inner.clone());
        let (policy, given) = add(py, base, Vec::new(), &allow)?;
        Self::assemble(py, policy, given, limits, persistent_load)
    }

    /// Return the policy that allows these classes, functions and names as well.
    #[pyo3(signature = (*allow))]
    fn extend(slf: &Bound<'_, Self>, allow: &Bound<'_, PyTuple>) -> PyResult<Py<Self>> {
        if allow.is_empty() {
            return Ok(slf.clone().unbind());
        }
        let allow: Vec<_> = allow.iter().collect();
        Py::new(slf.py(), slf.get().extended(slf.py(), &allow)?)
    }

    fn __or__(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        self.union(py, other)
    }

    /// Whether a class, function or name is allowed.
    fn __contains__(&self, target: &Bound<'_, PyAny>) -> bool {
        let Ok(target) = Target::of(target) else {
            return false;
        };
        let impostor = |known: &Target| {
            known.module == target.module && known.name == target.name && !known.is(&target)
        };
        let verdict = Verdict::of(&self.inner, &target.module, &target.name);
        verdict.is_allowed() && !self.given.iter().any(impostor)
    }

    /// Return what the policy says about a name, as a pickle of protocol 3 or later writes it.
    fn check(&self, module: &str, name: &str) -> Verdict {
        Verdict::of(&self.inner, module, name)
    }

    /// Return in words whether a name is allowed, for what, and how to allow it.
    fn explain(&self, py: Python<'_>, name: &str) -> PyResult<String> {
        let (module, qualname) = split_path(name).map_err(|error| wrong(py, &error))?;
        let verdict = Verdict::of(&self.inner, module, qualname);
        let mut lines = verdict.explain(&self.inner, &self.title());
        if !verdict.is_allowed() && !name.contains(':') {
            let splits = name.match_indices('.');
            let splits =
                splits.filter_map(|(dot, _)| Some((name.get(..dot)?, name.get(dot + 1..)?)));
            for (module, rest) in splits {
                if Verdict::of(&self.inner, module, rest).is_allowed() {
                    lines.push(format!(
                        "  {module}:{rest} is allowed: a nested class is written with a colon"
                    ));
                }
            }
        }
        Ok(lines.join("\n"))
    }

    /// Read a policy from a TOML file, as `to_toml` writes it.
    ///
    /// ``base = ["std", "enums"]`` and ``allow = ["pkg.mod.Name"]`` at the top are enough for most.
    ///
    /// Raises
    /// ------
    /// PolicyError
    ///     If the document makes no policy; the message starts with file and line.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::assemble(py, documents::from_file(path)?, Vec::new(), None, None)
    }

    /// Read the policy in the table ``[tool.picklist]`` of a ``pyproject.toml``.
    ///
    /// Parameters
    /// ----------
    /// path : str or os.PathLike, optional
    ///     The file or its folder.  None takes the nearest one with such a table, from the working
    ///     directory upwards.
    #[staticmethod]
    #[pyo3(signature = (path=None))]
    fn from_pyproject(py: Python<'_>, path: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Self::assemble(
            py,
            documents::from_pyproject(py, path)?,
            Vec::new(),
            None,
            None,
        )
    }

    /// Return preset ``"std"`` with the classes that a module defines, private and nested ones included.
    ///
    /// They are listed once, now.  Classes that it merely imported are left out, and so are functions.
    ///
    /// Parameters
    /// ----------
    /// module : module or str
    ///     The module; a name is imported.
    #[staticmethod]
    fn from_module(module: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = module.py();
        let module = if let Ok(name) = module.cast::<PyString>() {
            py.import(name)?
        } else if let Ok(module) = module.cast::<PyModule>() {
            module.clone()
        } else {
            let kind = module.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "from_module() takes a module or its name, not {kind}"
            )));
        };
        let (policy, given) = add(
            py,
            Policy::clone(Policy::std()),
            Vec::new(),
            &members::classes_of(&module)?,
        )?;
        Self::assemble(py, policy, given, None, None)
    }

    /// Return the policy that refuses nothing and has no limits, as ``pickle`` has none: for trusted data only.
    #[staticmethod]
    fn unrestricted(py: Python<'_>) -> PyResult<Self> {
        Self::assemble(
            py,
            Policy::unrestricted(),
            Vec::new(),
            Some(budget::Limits::unlimited()),
            None,
        )
    }

    /// Return the policy as a TOML document, which `from_file` reads.
    ///
    /// What exists in this process only is no part of it: `limits`, `persistent_load`, and classes
    /// that cannot be imported, which raise `PolicyError`.
    fn to_toml(&self, py: Python<'_>) -> PyResult<String> {
        for target in &self.given {
            if !target.found {
                let what = target.path();
                return Err(policy_error(
                    py,
                    &format!("{what} cannot be written: its name leads nowhere in another process"),
                ));
            }
        }
        Ok(documents::noted(&self.inner, &self.notes))
    }

    /// The same policy, whose `to_toml` has comments: lines for the top, and lines for each entry.
    fn _noted(
        &self,
        py: Python<'_>,
        top: Vec<String>,
        entries: HashMap<(String, String), Vec<String>>,
    ) -> PyResult<Self> {
        Ok(Self {
            notes: Notes { top, entries },
            ..self.extended(py, &[])?
        })
    }

    #[staticmethod]
    fn _restore(
        py: Python<'_>,
        document: &str,
        given: &Bound<'_, PyAny>,
        limits: Option<&Bound<'_, Limits>>,
        persistent_load: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let policy = Policy::from_toml(document).map_err(|error| wrong(py, &error))?;
        let given = items(given)?;
        let given = given.iter().map(Target::of).collect::<PyResult<_>>()?;
        let limits = limits.map(|limits| limits.get().inner.clone());
        Self::assemble(py, policy, given, limits, persistent_load)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let given: Vec<_> = self
            .given
            .iter()
            .map(|target| target.to_python(py))
            .collect::<PyResult<_>>()?;
        let limits = self.limits.clone().map(|inner| Limits { inner });
        let load = self.persistent_load.as_ref().map(|load| load.clone_ref(py));
        let restore = py.get_type::<Self>().getattr("_restore")?;
        (restore, (self.inner.to_toml(), given, limits, load)).into_pyobject(py)
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    /// By content. Objects count where their names alone do not say which they are.
    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        let held = |policy: &Self| -> HashMap<(String, String), usize> {
            let held = policy.given.iter().filter(|target| !target.found);
            held.filter_map(|target| {
                let object = target.object.as_ref()?;
                Some((
                    (target.module.clone(), target.name.clone()),
                    object.as_ptr() as usize,
                ))
            })
            .collect()
        };
        let same_load = match (&self.persistent_load, &other.persistent_load) {
            (None, None) => true,
            (Some(a), Some(b)) => a.bind(py).eq(b)?,
            _ => false,
        };
        Ok(same_load
            && self.inner == other.inner
            && self.limits == other.limits
            && held(self) == held(other))
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&*self.inner, &self.limits).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.typed(py)
    }

    /// Load a pickle under this policy, as `pickle.loads` does without one.
    ///
    /// See `picklist.safe_loads` for the arguments and errors.
    #[pyo3(signature = (data, /, *, fix_imports=true, encoding="ASCII", errors="strict", buffers=None))]
    fn loads<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        fix_imports: bool,
        encoding: &str,
        errors: &str,
        buffers: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = module::call(slf, fix_imports, encoding, errors, buffers);
        loads_with(data, &call)
    }

    /// Load one pickle from a file under this policy, as `pickle.load` does without one.
    ///
    /// See `picklist.safe_load` for the arguments and errors.
    #[pyo3(signature = (file, /, *, fix_imports=true, encoding="ASCII", errors="strict", buffers=None))]
    fn load<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        fix_imports: bool,
        encoding: &str,
        errors: &str,
        buffers: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = module::call(slf, fix_imports, encoding, errors, buffers);
        load_once(file, &call)
    }

    /// Pickle an object, the same as `picklist.dumps`.
    #[pyo3(signature = (obj, protocol=None, *, fix_imports=true, buffer_callback=None))]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn dumps<'py>(
        &self,
        obj: &Bound<'py, PyAny>,
        protocol: Option<&Bound<'py, PyAny>>,
        fix_imports: bool,
        buffer_callback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keywords = module::dump_keywords(obj.py(), fix_imports, buffer_callback)?;
        module::get(obj.py(), "dumps")?.call((obj, protocol), Some(&keywords))
    }

    /// Pickle an object into a file, the same as `picklist.dump`.
    #[pyo3(signature = (obj, file, protocol=None, *, fix_imports=true, buffer_callback=None))]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn dump<'py>(
        &self,
        obj: &Bound<'py, PyAny>,
        file: &Bound<'py, PyAny>,
        protocol: Option<&Bound<'py, PyAny>>,
        fix_imports: bool,
        buffer_callback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keywords = module::dump_keywords(obj.py(), fix_imports, buffer_callback)?;
        module::get(obj.py(), "dump")?.call((obj, file, protocol), Some(&keywords))
    }

    /// The class `picklist.Unpickler` bound to this policy; always the same one, and it may be subclassed.
    #[getter(Unpickler)]
    fn unpickler(slf: &Bound<'_, Self>) -> PyResult<Py<PyType>> {
        let py = slf.py();
        if let Some(class) = slf.get().unpickler.get() {
            return Ok(class.clone_ref(py));
        }
        let class = module::unpickler_of(slf)?;
        // Of two threads that make one, the first to arrive gives the class to both.
        let _ = slf.get().unpickler.set(class.clone_ref(py));
        Ok(slf
            .get()
            .unpickler
            .get()
            .map_or(class, |class| class.clone_ref(py)))
    }

    /// The class `picklist.Pickler`.
    #[getter(Pickler)]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn pickler<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        module::get(py, "Pickler")
    }

    /// The same as `pickle.HIGHEST_PROTOCOL`.
    #[getter(HIGHEST_PROTOCOL)]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn highest_protocol<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        module::get(py, "HIGHEST_PROTOCOL")
    }

    /// The same as `pickle.DEFAULT_PROTOCOL`.
    #[getter(DEFAULT_PROTOCOL)]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn default_protocol<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        module::get(py, "DEFAULT_PROTOCOL")
    }

    /// ``"picklist"``: libraries that take a ``pickle_module`` ask for its name.
    #[getter(__name__)]
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn module_name(&self) -> &'static str {
        "picklist"
    }

    /// The other public names of the pickle module.
    #[allow(clippy::unused_self, reason = "the shape of the pickle module")]
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if module::is_public(py, name)? {
            return module::get(py, name);
        }
        Err(PyAttributeError::new_err(format!(
            "'Policy' object has no attribute '{name}'"
        )))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.persistent_load)?;
        for target in &self.given {
            visit.call(&target.object)?;
        }
        // The cache's own references, as long as the cache is this policy's alone.
        if Arc::strong_count(&self.cache) == 1 {
            for (target, cached) in self.given.iter().zip(&self.cached) {
                if *cached {
                    visit.call(&target.object)?;
                }
            }
        }
        match self.unpickler.get() {
            Some(class) => visit.call(class),
            None => Ok(()),
        }
    }
}
