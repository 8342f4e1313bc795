//! Instances of the library's classes that keep all they are in slots: `Fraction`, `IPv4Address`, `IPv6Address`.
//!
//! Their constructors are Python code that takes its arguments apart; what it would put into the slots is known from the
//! contract. Where a slot lies is looked for in an instance of the library's own, and the way is open only where
//! instances made here answer as such do.

use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::instances::allocated;
use super::late::Late;
use super::layout;
use super::stock::is_tracked;
use super::value::{Make, TRACKED, Value};

/// Words in front of the slots.
const HEADER: usize = 2;
/// Most words of an instance.
const WORDS: usize = 16;

/// A class, and the words of its instances that its slots are.
pub(super) struct Slotted<const N: usize> {
    class: Py<PyType>,
    words: [usize; N],
}

static FRACTION: Late<Slotted<2>> = Late::new();
static ADDRESS4: Late<Slotted<1>> = Late::new();
static ADDRESS6: Late<Slotted<2>> = Late::new();

/// Whether the ways are open, once they were asked for.
pub(super) fn learn_slotted(py: Python<'_>) -> PyResult<bool> {
    let class = |module: &str, name: &str| py.import(module)?.getattr(name);
    Ok(
        FRACTION.learn(py, || fraction_found(&class("fractions", "Fraction")?))?
            && ADDRESS4.learn(py, || address4_found(&class("ipaddress", "IPv4Address")?))?
            && ADDRESS6.learn(py, || address6_found(&class("ipaddress", "IPv6Address")?))?,
    )
}

/// A `Fraction` in lowest terms: `None` where that is another class than the one whose objects are known, or none are.
#[inline]
pub fn fraction(
    py: Python<'_>,
    class: &Py<PyAny>,
    numerator: &Value,
    denominator: &Value,
) -> PyResult<Option<Value>> {
    let find = || fraction_found(class.bind(py));
    FRACTION.make(py, class, find, || {
        Ok([numerator.share(), denominator.share()])
    })
}

/// An `IPv4Address`, as [`fraction`].
#[inline]
pub fn address4(py: Python<'_>, class: &Py<PyAny>, address: &Value) -> PyResult<Option<Value>> {
    let find = || address4_found(class.bind(py));
    ADDRESS4.make(py, class, find, || Ok([address.share()]))
}

/// An `IPv6Address` without a scope, as [`fraction`].
#[inline]
pub fn address6(py: Python<'_>, class: &Py<PyAny>, address: u128) -> PyResult<Option<Value>> {
    let find = || address6_found(class.bind(py));
    ADDRESS6.make(py, class, find, || {
        Ok([wide(py, address)?, super::none(py)])
    })
}

/// An int of 128 bits.
fn wide(py: Python<'_>, value: u128) -> Make {
    if let Ok(value) = i64::try_from(value) {
        return super::int(py, value);
    }
    // A byte more, for the sign.
    let mut bytes = [0; 17];
    for (place, byte) in bytes.iter_mut().zip(value.to_le_bytes()) {
        *place = byte;
    }
    super::long(py, &bytes)
}

impl<const N: usize> Late<Slotted<N>> {
    #[inline(always)]
    fn make(
        &self,
        py: Python<'_>,
        class: &Py<PyAny>,
        find: impl FnOnce() -> PyResult<Option<Slotted<N>>>,
        values: impl FnOnce() -> PyResult<[Value; N]>,
    ) -> PyResult<Option<Value>> {
        if self.get().is_none() && !self.learn(py, find)? {
            return Ok(None);
        }
        match self.get() {
            Some(found) if found.is_of(class) => found.make(py, values()?).map(Some),
            _ => Ok(None),
        }
    }
}

impl<const N: usize> Slotted<N> {
    /// Whether that is its class.
    pub(super) fn is_of(&self, class: &Py<PyAny>) -> bool {
        self.class.as_ptr() == class.as_ptr()
    }

    /// An instance with these values in its slots.
    #[inline]
    pub(super) fn make(&self, py: Python<'_>, mut values: [Value; N]) -> Make {
        // SAFETY: a live type, whose instances have no items.
        let object = unsafe { allocated(py, self.class.as_ptr(), 0) }?;
        for (word, value) in self.words.iter().zip(&mut values) {
            // SAFETY: within the instance, as `found` has seen.
            let slot = unsafe { object.cast::<*mut PyObject>().add(*word) };
            // SAFETY: a slot of a new instance, empty; the reference is handed over.
            unsafe { slot.write(value.take_object()) };
        }
        let info = TRACKED;
        Ok(Value { object, info })
    }

    /// Where an instance keeps what these attributes are, and whether that is all it keeps.
    pub(super) fn found(
        class: &Bound<'_, PyAny>,
        sample: &Value,
        names: [&str; N],
    ) -> PyResult<Option<Self>> {
        let py = class.py();
        let Ok(class) = class.cast::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        let size = kind.tp_basicsize.unsigned_abs();
        let plain = kind.tp_itemsize == 0 && kind.tp_dictoffset == 0 && size.is_multiple_of(8);
        let sample_is = sample.type_address() == class.as_ptr() as usize;
        if !plain || !sample_is || !(HEADER * 8..=WORDS * 8).contains(&size) {
            return Ok(None);
        }
        let mut words = [0; N];
        let all = words_of(sample, size / 8);
        for (word, name) in words.iter_mut().zip(names) {
            let value = sample.bound(py).getattr(name)?.as_ptr() as u64;
            match all.iter().skip(HEADER).position(|each| *each == value) {
                Some(at) => *word = at + HEADER,
                None => return Ok(None),
            }
        }
        // What else there is, such as a place for weak references, is empty.
        let others = all.iter().enumerate().skip(HEADER);
        let empty = others
            .filter(|(at, _)| !words.contains(at))
            .all(|(_, word)| *word == 0);
        let class = class.clone().unbind();
        Ok(empty.then_some(Self { class, words }))
    }

    /// Closed where an instance made here is not as one of the library's.
    fn proved(self, py: Python<'_>, samples: Vec<(Value, [Value; N])>) -> PyResult<Option<Self>> {
        for (theirs, values) in samples {
            let ours = self.make(py, values)?;
            if is_tracked(&ours) != is_tracked(&theirs) || !layout::same(py, &ours, &theirs)? {
                return Ok(None);
            }
        }
        Ok(Some(self))
    }
}

/// The first words of an instance that has so many.
fn words_of(object: &Value, count: usize) -> Vec<u64> {
    // SAFETY: callers ask for no more than there are; words have no invalid bits.
    unsafe { std::slice::from_raw_parts(object.object.cast::<u64>(), count) }.to_vec()
}

fn fraction_found(class: &Bound<'_, PyAny>) -> PyResult<Option<Slotted<2>>> {
    let py = class.py();
    let theirs = |terms: (i64, i64)| class.call1(terms).map(Value::plain);
    let sample = theirs((100_003, 200_009))?;
    let Some(found) = Slotted::found(class, &sample, ["_numerator", "_denominator"])? else {
        return Ok(None);
    };
    let mut samples = Vec::new();
    for (numerator, denominator) in [(0, 1), (-7, 3), (5, 1), (1, i64::MAX), (i64::MIN, 3)] {
        samples.push((
            theirs((numerator, denominator))?,
            [super::int(py, numerator)?, super::int(py, denominator)?],
        ));
    }
    found.proved(py, samples)
}

fn address4_found(class: &Bound<'_, PyAny>) -> PyResult<Option<Slotted<1>>> {
    let py = class.py();
    let theirs = |address: i64| class.call1((address,)).map(Value::plain);
    let Some(found) = Slotted::found(class, &theirs(0x7f00_0001)?, ["_ip"])? else {
        return Ok(None);
    };
    let mut samples = Vec::new();
    for address in [0, 1, 0x0a00_0001, 0xffff_ffff] {
        samples.push((theirs(address)?, [super::int(py, address)?]));
    }
    found.proved(py, samples)
}

fn address6_found(class: &Bound<'_, PyAny>) -> PyResult<Option<Slotted<2>>> {
    let py = class.py();
    let sample = Value::plain(class.call1(("fe80::1%scope",))?);
    let Some(found) = Slotted::found(class, &sample, ["_ip", "_scope_id"])? else {
        return Ok(None);
    };
    let mut samples = Vec::new();
    for address in [0, 1, 1 << 64, 0x2001_0db8 << 96 | 0xff, u128::MAX] {
        let theirs = class.call1((std::net::Ipv6Addr::from_bits(address).to_string(),))?;
        samples.push((Value::plain(theirs), [wide(py, address)?, super::none(py)]));
    }
    found.proved(py, samples)
}
