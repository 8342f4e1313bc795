//! The world that builds Python objects: this is `safe_loads`.
//!
//! Owns the meaning of every opcode in terms of objects, and their provenance. Asks the policy for permission and the
//! budget for room; imports through `globals.rs` alone. No Python code runs for plain data or for native types; before
//! the first Python code of an allowed class could run, the whole stream is inspected.

pub mod build;
mod charge;
pub mod construct;
pub mod ffi;
pub mod fill;
pub mod free;
pub mod globals;
mod instances;
pub mod keys;
pub mod look;
pub mod native;
mod newobj;
pub mod run;
pub mod shape;
pub mod source;
pub mod strings;
mod templates;
mod ways;
mod world;

use std::collections::HashMap;

use pyo3::prelude::*;

use crate::error::Kind;
use crate::inspect::{self, Inspection, Seed};
use crate::machine::budget::{Budget, Limits};
use crate::machine::chains::Chains;
use crate::machine::hashing::Collisions;
use crate::machine::memo::Memo;
use crate::machine::world::Made;
use crate::policy::{EntryId, Policy};
use ffi::{Survey, Tag, Value};
use globals::Cache;
use run::Rules;
use source::Stream;

/// What a load fails with: one word, so that success costs a comparison with null.
#[derive(Debug)]
pub struct Fault(Box<Cause>);

/// Why a load failed.
#[derive(Debug)]
pub enum Cause {
    /// The stream is at fault.
    Kind(Kind),
    /// Python code raised: it passes through untouched.
    Raised(PyErr),
    /// The inspector found what the loader had not reached yet.
    Refused(Box<Inspection>),
}

impl Fault {
    /// The cause.
    pub fn cause(self) -> Cause {
        *self.0
    }
}

impl From<Cause> for Fault {
    #[cold]
    fn from(cause: Cause) -> Self {
        Self(Box::new(cause))
    }
}

impl From<Kind> for Fault {
    #[cold]
    fn from(kind: Kind) -> Self {
        Cause::Kind(kind).into()
    }
}

impl From<std::convert::Infallible> for Fault {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<PyErr> for Fault {
    #[cold]
    fn from(error: PyErr) -> Self {
        Cause::Raised(error).into()
    }
}

/// How a Python 2 `str` becomes a value.
#[derive(Debug, Clone)]
pub enum Encoding {
    /// `encoding="ASCII"`, `errors="strict"`: the default.
    Ascii,
    /// `encoding="latin1"`: every byte is a character.
    Latin1,
    /// `encoding="bytes"`: stays bytes.
    Bytes,
    /// Any other codec, or another error handler: the interpreter decodes.
    Codec {
        /// As the caller wrote it.
        encoding: String,
        /// As the caller wrote it.
        errors: String,
    },
}

impl From<&Encoding> for inspect::Encoding {
    fn from(encoding: &Encoding) -> Self {
        match encoding {
            Encoding::Ascii => Self::Ascii,
            Encoding::Latin1 => Self::Latin1,
            Encoding::Bytes => Self::Bytes,
            Encoding::Codec { .. } => Self::Other,
        }
    }
}

/// What the caller of a load asked for, besides the policy.
#[derive(Debug)]
pub struct Options<'py> {
    /// Whether names of protocols 0 to 2 are Python 2's.
    pub fix_imports: bool,
    /// How a Python 2 `str` becomes a value.
    pub encoding: Encoding,
    /// Iterator over the out-of-band buffers.
    pub buffers: Option<Bound<'py, PyAny>>,
    /// The caller's `persistent_load`.
    pub persistent_load: Option<Bound<'py, PyAny>>,
    /// The `find_class` of a subclass, which steps around the policy as it does with `pickle`.
    pub find_class: Option<Bound<'py, PyAny>>,
    /// Where the protocol is noted for a `find_class` that asks its base class.
    pub protocol: Option<std::sync::Arc<std::sync::atomic::AtomicU8>>,
    /// Whether leftovers on the stack and bytes after STOP are refused.
    pub strict: bool,
}

impl Default for Options<'_> {
    /// What a call without keywords asks for.
    #[inline]
    fn default() -> Self {
        Self {
            fix_imports: true,
            encoding: Encoding::Ascii,
            buffers: None,
            persistent_load: None,
            find_class: None,
            protocol: None,
            strict: false,
        }
    }
}

/// A value that only a call may consume.
#[derive(Debug, Clone)]
pub enum Symbol {
    /// Arguments that hold a name which is no value.
    Args(Vec<Value>),
    /// `cls.__new__`, for `functools.partial`.
    Constructor(EntryId),
    /// A `functools.partial` without its state yet.
    Partial(EntryId),
    /// A `functools.partial` that will make the instance: class, arguments, keywords.
    PartialNew(EntryId, Vec<Value>, Vec<Value>),
}

/// What a load keeps beside its stack and memo; emptied, it serves the next load under the same policy.
#[derive(Debug)]
pub struct Desk {
    symbols: Vec<Symbol>,
    /// Entries by the address of a class that instances were made of.
    types: look::AddressMap<EntryId>,
    last_type: (usize, EntryId),
    /// What the calls in one step have met.
    met: native::direct::Met,
    /// The entry whose instance was filled last, and how: it was judged, and runs no code.
    filled: Option<(EntryId, Filling)>,
    quick: instances::Quick,
    key_strings: strings::KeyTable,
    templates: templates::Templates,
    /// Names that the free world has found already.
    found: HashMap<(String, String), Value>,
    collisions: Collisions,
    chains: Chains,
    /// What the chains are made of.
    chained: Vec<Value>,
    /// The memo of earlier pickles of the same `Unpickler`, as the inspector sees it.
    remembered: Vec<(u64, Seed<'static>)>,
}

/// APPEND, SETITEM or ADDITEMS: what is filled is asked of the policy once for each.
type Filling = std::mem::Discriminant<crate::policy::Attempt<'static, Value>>;

/// Bytes below which a pickle makes too few containers for the collector to run.
const LONG_ENOUGH_TO_PAUSE: usize = 1 << 10;

/// Bytes of a pickle whose objects are so many that the collector and the pages they lie in are worth a thought.
pub const LONG: usize = 1 << 18;

/// No class.
const NO_TYPE: (usize, EntryId) = (0, EntryId(u32::MAX));

impl Default for Desk {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            types: look::AddressMap::default(),
            last_type: NO_TYPE,
            met: native::direct::Met::default(),
            filled: None,
            quick: instances::Quick::default(),
            key_strings: strings::KeyTable::default(),
            templates: templates::Templates::default(),
            found: HashMap::new(),
            collisions: Collisions::default(),
            chains: Chains::default(),
            chained: Vec::new(),
            remembered: Vec::new(),
        }
    }
}

impl Desk {
    /// Clears the desk of all that belongs to one load.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.last_type = NO_TYPE;
        self.met = native::direct::Met::default();
        self.filled = None;
        if !self.types.is_empty() {
            self.types.clear();
        }
        if !self.found.is_empty() {
            self.found = HashMap::new();
        }
        self.collisions.clear();
        self.chains.clear();
        self.chained = Vec::new();
        self.remembered.clear();
        self.key_strings.begin();
        self.templates.begin();
    }
}

/// The world that builds Python objects.
pub struct PyWorld<'a, 'py> {
    py: Python<'py>,
    policy: &'a Policy,
    cache: &'a Cache,
    limits: &'a Limits,
    options: &'a Options<'py>,
    /// Under `Policy.unrestricted()`: everything as `pickle` does it.
    free: bool,
    /// Whether the inspector has passed the whole stream, or never has to.
    checked: bool,
    stream: Stream<'a, 'py>,
    /// Paused until foreign code could run.
    collector: ffi::Collector,
    /// In huge pages until then.
    arenas: ffi::Arenas,
    /// Whether the items of the last call were all moved into a container.
    took_all: bool,
    desk: &'a mut Desk,
}

impl<'a, 'py> PyWorld<'a, 'py> {
    /// A world for one load of the stream.
    #[inline]
    pub fn new(
        py: Python<'py>,
        rules: Rules<'a>,
        options: &'a Options<'py>,
        stream: Stream<'a, 'py>,
        desk: &'a mut Desk,
    ) -> Self {
        let Rules {
            policy,
            cache,
            limits,
        } = rules;
        ffi::heed_tracer(py);
        let free = policy.is_unrestricted();
        let checked = free || options.find_class.is_some();
        Self {
            py,
            policy,
            cache,
            limits,
            options,
            free,
            checked,
            stream,
            collector: ffi::Collector::default(),
            arenas: ffi::Arenas::default(),
            took_all: false,
            desk,
        }
    }

    /// Called before the machine runs, over a stream that is `bytes` long as far as is known: prepares for what a long
    /// stream makes, and pauses the collector. Whether the world wants to be asked early whether to go on.
    pub fn begin_work(&mut self, bytes: usize) -> PyResult<bool> {
        let early = bytes >= LONG && self.expect_much()?;
        self.pause_collector(bytes);
        Ok(early)
    }

    /// Pauses the collector for a stream of `bytes`, as long as only the loader's own code runs.
    #[inline]
    pub fn pause_collector(&mut self, bytes: usize) {
        if bytes > LONG_ENOUGH_TO_PAUSE && !self.checked {
            self.collector.pause(self.py);
        }
    }

    #[cold]
    fn expect_much(&mut self) -> PyResult<bool> {
        let early = self.collector.expect_much(self.py)?;
        if !self.checked {
            self.arenas.take(self.py);
        }
        Ok(early)
    }

    /// Called before code of others runs.
    #[inline]
    pub fn end_work(&mut self) {
        self.collector.resume();
        self.arenas.give_back();
    }

    /// Notes what is in the memo before the stream begins, for the inspector.
    pub fn remember(&mut self, memo: &Memo<Value>) {
        if !self.checked && !memo.is_empty() {
            self.desk.remembered = memo
                .iter(Value::is_hole)
                .map(|(at, value)| (at, self.seed(value)))
                .collect();
        }
    }

    /// What the inspector says of the whole stream.
    pub(crate) fn inspect(&self) -> Result<Inspection, Fault> {
        let options = self.inspect_options();
        self.stream
            .inspect(self.policy, &options, &self.desk.remembered)
    }

    /// Where in the object a limit stopped the load at that byte.
    pub(crate) fn place(&self, at: u64) -> Option<String> {
        let options = self.inspect_options();
        self.stream
            .place(at, self.policy, &options, &self.desk.remembered)
    }

    pub(crate) fn inspect_options(&self) -> inspect::Options {
        inspect::Options {
            fix_imports: self.options.fix_imports,
            has_persistent_load: self.options.persistent_load.is_some(),
            buffers: if self.options.buffers.is_some() {
                inspect::Buffers::Unlimited
            } else {
                inspect::Buffers::None
            },
            encoding: (&self.options.encoding).into(),
            strict: self.options.strict,
            arrays: inspect::Arrays::Opcodes,
            limits: self.limits.clone(),
        }
    }

    /// The object that STOP returns.
    pub fn finish(&mut self, mut value: Value) -> Result<Bound<'py, PyAny>, Fault> {
        self.materialize(&mut value)?;
        Ok(value.into_bound(self.py))
    }

    /// Turns symbols among the items into objects, as far as they may be values.
    #[inline(always)]
    fn settle(&mut self, items: &mut [Value]) -> Result<Survey, Fault> {
        let survey = Survey::of(items);
        if survey.symbolic() {
            for item in items {
                self.materialize(item)?;
            }
        }
        Ok(survey)
    }

    /// Charges for nesting the items in a container.
    #[inline(always)]
    fn nest(budget: &mut Budget, survey: Survey) -> Result<u32, Kind> {
        let depth = survey.depth() + 1;
        budget.depth(depth)?;
        Ok(depth)
    }

    /// A tuple; arguments that hold a name which is no value stay a symbol.
    #[cold]
    fn symbolic_tuple(&mut self, budget: &mut Budget, items: &mut [Value]) -> Made<Self> {
        let callee_only = items.iter().any(|item| match item.tag() {
            Tag::Symbol => true,
            Tag::Global => self.policy.may_stand(EntryId(item.entry())).is_err(),
            _ => false,
        });
        if callee_only {
            let items = items.iter_mut().map(std::mem::take).collect();
            return Ok(self.symbol(Symbol::Args(items)));
        }
        for item in items.iter_mut() {
            self.materialize(item)?;
        }
        let survey = Survey::of(items);
        Self::nest(budget, survey)?;
        Ok(ffi::tuple(self.py, items, survey)?)
    }

    fn symbol(&mut self, symbol: Symbol) -> Value {
        let entry = u32::try_from(self.desk.symbols.len()).unwrap_or(u32::MAX);
        self.desk.symbols.push(symbol);
        Value::symbol(Tag::Symbol, entry)
    }
}
