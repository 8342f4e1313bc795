//! numpy's plain arrays and scalars: what the contracts of `policy::numpy` let through is made without inspection, for no
//! code runs but numpy's own constructors, given what was recomputed and compared.
//!
//! An entry counts as numpy's where its object is the very one that numpy has under that name. Where it is not, and for
//! whatever is no plain array, numpy is called as any allowed library is. What an instance is known to be stands in
//! [`Facts`]; values made here carry the entry of the function that made them, as the inspector sees them.

mod records;
mod state;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyTuple};

use super::super::ffi::{self, Survey, Tag, Value};
use super::super::look::AddressMap;
use super::super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::memo::Memo;
use crate::machine::world::Made;
use crate::policy::numpy::{Dtype, Known, MAX_DIMENSIONS, Numpy, Order, check_bools, check_length};
use crate::policy::{EntryId, Plan, Refusal};

/// The dtypes that a load has made, by address. They are kept, so that no address comes again while the load runs.
#[derive(Debug, Default)]
pub struct Facts {
    last: (usize, Option<Dtype>),
    dtypes: AddressMap<Kept>,
    /// The function and the class that make an array without state: a call of them was judged.
    makers: Option<(EntryId, EntryId)>,
    /// The entry whose arrays were given state: that was judged too.
    fills: Option<EntryId>,
    /// The function of scalars: a call of it with a dtype that was made here and bytes was judged.
    scalars: Option<EntryId>,
}

/// A dtype that was made.
#[derive(Debug)]
struct Kept {
    dtype: Dtype,
    object: Value,
    /// For records, a dtype of items of the same size without fields.
    blank: Option<Value>,
}

impl Facts {
    /// What that object is known to be.
    #[inline]
    fn of(&self, address: usize) -> Option<Dtype> {
        if self.last.0 == address {
            return self.last.1;
        }
        self.dtypes.get(&address).map(|kept| kept.dtype)
    }

    /// The dtype of items of that size without fields.
    #[inline]
    fn blank_of(&self, dtype: Dtype, address: usize) -> Option<&Value> {
        match dtype {
            Dtype::Records { .. } => self.dtypes.get(&address)?.blank.as_ref(),
            Dtype::Numbers { .. } | Dtype::Void(_) => None,
        }
    }

    fn note(&mut self, object: &Value, dtype: Dtype) {
        self.note_records(object, dtype, None);
    }

    fn note_records(&mut self, object: &Value, dtype: Dtype, blank: Option<Value>) {
        self.last = (object.address(), Some(dtype));
        let kept = Kept {
            dtype,
            object: object.share(),
            blank,
        };
        self.dtypes.insert(object.address(), kept);
    }

    fn forget(&mut self, dtype: &Value) {
        if self.dtypes.remove(&dtype.address()).is_some() {
            self.last = (0, None);
        }
    }
}

/// The shape of an array.
struct Sides {
    sides: [isize; MAX_DIMENSIONS],
    count: usize,
}

impl Sides {
    fn all(&self) -> &[isize] {
        self.sides.get(..self.count).unwrap_or_default()
    }
}

/// What numpy has under the known names.
static OWN: PyOnceLock<[Py<PyAny>; Numpy::ALL.len()]> = PyOnceLock::new();

/// Looks numpy's functions up in the modules that are there; nothing is imported, and no module is asked by its own code.
fn find_own(py: Python<'_>) -> PyResult<Option<[Py<PyAny>; Numpy::ALL.len()]>> {
    let modules = py.import("sys")?.getattr("modules")?;
    let modules = modules.cast::<PyDict>().map_err(PyErr::from)?;
    let mut own = [const { None }; Numpy::ALL.len()];
    for (which, found) in Numpy::ALL.into_iter().zip(&mut own) {
        let (spellings, name) = which.spelled();
        for module in spellings {
            let Some(module) = modules.get_item(module)? else {
                continue;
            };
            let Ok(module) = module.cast::<PyModule>() else {
                continue;
            };
            *found = module.dict().get_item(name)?.map(Bound::unbind);
            if found.is_some() {
                break;
            }
        }
    }
    match own {
        [
            Some(array),
            Some(dtype),
            Some(make),
            Some(over),
            Some(scalar),
        ] => Ok(Some([array, dtype, make, over, scalar])),
        _ => Ok(None),
    }
}

impl<'py> PyWorld<'_, 'py> {
    /// What is known of a value.
    #[inline]
    pub(in crate::load) fn known_of(&self, value: &Value) -> Option<Known> {
        let facts = self.desk.met.numpy.as_deref()?;
        match value.tag() {
            Tag::Fresh | Tag::Made | Tag::Plain => {}
            _ => return None,
        }
        if let Some(dtype) = facts.of(value.address()) {
            return Some(Known::Dtype(dtype));
        }
        (value.tag() == Tag::Fresh && self.is_unfilled(value)).then_some(Known::Unfilled)
    }

    /// What an earlier pickle of the same `Unpickler` left in the memo is known again, by what it says of itself.
    pub(in crate::load) fn know_again(&mut self, memo: &Memo<Value>) -> PyResult<()> {
        for (_, value) in memo.iter(Value::is_hole) {
            let made = matches!(value.tag(), Tag::Made | Tag::Fresh) && value.has_object();
            let entry = EntryId(value.entry());
            if !made || self.policy.entry(entry).numpy() != Some(Numpy::Dtype) {
                continue;
            }
            let dtype = value.bound(self.py);
            // An entry of that name may stand for anybody's class, whose instances say what they like.
            let Some([_, class, ..]) = OWN.get(self.py) else {
                return Ok(());
            };
            if !dtype.get_type().is_subclass(class.bind(self.py))? {
                continue;
            }
            if let Some(known) = records::ask(dtype)? {
                let facts = self.desk.met.numpy.get_or_insert_default();
                facts.note(value, known);
            }
        }
        Ok(())
    }

    /// Whether a fresh value is an array that was made here.
    fn is_unfilled(&self, value: &Value) -> bool {
        self.policy.entry(EntryId(value.entry())).numpy() == Some(Numpy::Reconstruct)
    }

    /// The entry's object, if it is numpy's own. Importing it waits for the inspector.
    pub(in crate::load) fn numpys_own(
        &mut self,
        id: EntryId,
        which: Numpy,
    ) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        let py = self.py;
        if self.cache.get(py, id).is_none() {
            self.ensure_checked()?;
        }
        let resolved = self.resolve(id)?;
        let own = match OWN.get(py) {
            Some(own) => own,
            None => match find_own(py)? {
                Some(own) => OWN.get_or_init(py, || own),
                None => return Ok(None),
            },
        };
        let at = Numpy::ALL.iter().position(|known| *known == which);
        let known = at.and_then(|at| own.get(at));
        Ok(known
            .filter(|known| known.is(&resolved.object))
            .map(|known| known.bind(py).clone()))
    }

    /// Makes what was judged.
    pub(super) fn build_numpy(
        &mut self,
        id: EntryId,
        plan: Plan,
        args: &mut [Value],
    ) -> Made<Self> {
        let which = self.policy.entry(id).numpy();
        let own = match which {
            Some(which) => self.numpys_own(id, which)?,
            None => None,
        };
        let Some(own) = own else {
            return self.call_object(id, args);
        };
        let makers = match args {
            [class, _, code] if code.is_bytes() => Some(EntryId(class.entry())),
            _ => None,
        };
        // A contract in the policy tells instances from other values, and bytes from others, and no more of either.
        let of_kind = matches!(args, [dtype, data] if is_instance(dtype) && data.is_bytes());
        let survey = self.settle(args)?;
        match plan {
            Plan::Dtype(dtype) => {
                let numbers = dtype
                    .numbers()
                    .map(|numeric| ffi::numpy_dtype(self.py, numeric));
                let made = match numbers.transpose()?.flatten() {
                    Some(made) => made,
                    None => self.call_own(&own, args, survey)?,
                };
                // Known by its address and not by its class: numpy makes others of that class, of what no contract has
                // seen.
                let mut made = made;
                made.set_made(id.0, 0);
                let facts = self.desk.met.numpy.get_or_insert_default();
                facts.note(&made, dtype);
                Ok(made)
            }
            Plan::Unfilled => {
                let facts = self.desk.met.numpy.get_or_insert_default();
                facts.makers = makers.map(|class| (id, class));
                let made = match ffi::numpy_unfilled(self.py)? {
                    Some(made) => made,
                    None => self.call_own(&own, args, survey)?,
                };
                Ok(self.own_value(made, id))
            }
            Plan::FromBuffer {
                dtype,
                order,
                bytes,
            } => self.array_over(&own, (id, dtype, order, bytes), args, survey),
            Plan::Scalar => {
                let facts = self.desk.met.numpy.get_or_insert_default();
                facts.scalars = of_kind.then_some(id);
                let made = self.call_own(&own, args, survey)?;
                Ok(Value::plain(made.into_bound(self.py)))
            }
            _ => Err(Kind::Malformed("this plan makes no array".into()).into()),
        }
    }

    /// Calls a function of numpy's with arguments that its contract has seen whole.
    fn call_own(&self, own: &Bound<'py, PyAny>, args: &mut [Value], survey: Survey) -> Made<Self> {
        let args = ffi::tuple(self.py, args, survey)?;
        let args = args.bound(self.py).cast::<PyTuple>().map_err(PyErr::from)?;
        let made = own.call1(args).map_err(|error| self.bad_value(error))?;
        Ok(Value::plain(made))
    }

    /// The entry that a dtype at that address was made through here.
    pub(in crate::load) fn entry_of_dtype(&self, address: usize) -> Option<EntryId> {
        let facts = self.desk.met.numpy.as_deref()?;
        let kept = facts.dtypes.get(&address)?;
        Some(EntryId(kept.object.entry()))
    }

    /// An array that was made through an entry.
    fn own_value(&mut self, value: Value, id: EntryId) -> Value {
        let address = value.type_address();
        if self.entry_of_type(address).is_none() {
            self.desk.types.insert(address, id);
        }
        let mut value = value;
        value.set_made(id.0, 0);
        value
    }

    /// The shape in a tuple that its contract has seen.
    fn sides(&self, shape: &Value) -> Result<Sides, Fault> {
        let mut sides = [0; MAX_DIMENSIONS];
        match ffi::sides_of(self.py, shape, &mut sides) {
            Some(count) => Ok(Sides { sides, count }),
            None => Err(Kind::Malformed("a shape that is none".into()).into()),
        }
    }

    /// `_frombuffer`: a buffer of the stream, or one beside it, of which nobody has seen the length yet.
    fn array_over(
        &mut self,
        own: &Bound<'py, PyAny>,
        (id, known, order, bytes): (EntryId, Dtype, Order, u64),
        args: &mut [Value],
        survey: Survey,
    ) -> Made<Self> {
        let py = self.py;
        let Some([data, dtype, shape, ..]) = args.get(..3) else {
            return Err(Kind::Malformed("an array without a shape".into()).into());
        };
        let held = ffi::Held::of(data.bound(py)).map_err(|error| self.bad_value(error))?;
        // The contract has seen what is in the stream, and neither length nor content of what lies beside it.
        let seen = held.is_plain() && data.tag() != Tag::External;
        let broken = check_length(held.bytes().len() as u64, bytes).and_then(|()| {
            if known.is_bool() && !seen {
                check_bools(held.bytes())
            } else {
                Ok(())
            }
        });
        broken.map_err(|why| {
            let attempt = "called";
            self.refused(id, Refusal { attempt, why })
        })?;
        let sides = self.sides(shape)?;
        let axes = match (order, args.get(4)) {
            (Order::Axes, Some(axes)) => Some(self.sides(axes)?),
            _ => None,
        };
        let layout = ffi::Layout {
            sides: sides.all(),
            item: known.size(),
            fortran: order == Order::Fortran,
            axes: axes.as_ref().map(Sides::all),
        };
        let made = ffi::numpy_over(py, held, dtype, &layout);
        let made = match made.map_err(|error| self.bad_value(error))? {
            Some(made) => made,
            None => self.call_own(own, args, survey)?,
        };
        Ok(self.own_value(made, id))
    }
}

/// Whether that is seen as an instance that the stream has made.
fn is_instance(value: &Value) -> bool {
    matches!(value.tag(), Tag::Made | Tag::Fresh)
}
