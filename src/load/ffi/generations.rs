//! The collector's generations, for what a long load has made.
//!
//! A young collection behind a load visits every container that the load has made, and each of their items, when they
//! have long left the caches: half of the time of 15 MB of records went there. It can find nothing, as all of it is
//! alive, and leaves everything in the middle generation. So that is where it is put at once, by joining two lists: 1.3
//! to 2.4 times as fast on records. Where a collection of what was young before is due, it comes first.
//!
//! The generations are known up to 3.13, where they are three lists in a row; what stands there is compared with what
//! the module `gc` says, and objects are moved for a try. From 3.14 on the collection is left to happen.

use pyo3::prelude::*;

#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
mod known {
    use std::ptr;

    use pyo3::ffi::PyObject;
    use pyo3::prelude::*;

    use super::super::collector::{Collector, collect_young};
    use super::super::late::Late;

    /// What stands before every collected object, and in a generation.
    #[repr(C)]
    struct Link {
        next: *mut Link,
        /// With two flags of the object's in its lowest bits.
        previous: *mut Link,
    }

    /// The flags beside [`Link::previous`].
    const FLAGS: usize = 3;

    #[repr(C)]
    struct Generation {
        head: Link,
        threshold: i32,
        count: i32,
    }

    /// The youngest of the three generations, which stand in a row.
    struct Youngest(*mut Generation);

    static YOUNGEST: Late<Youngest> = Late::new();

    /// Finds the generations. They are the interpreter's, and so is this module.
    pub fn learn(py: Python<'_>) -> PyResult<bool> {
        YOUNGEST.learn(py, || {
            let mut collector = Collector::default();
            collector.pause(py);
            let found = find(py)?;
            Ok(match found {
                Some(young) if moves(py, &young)? => Some(young),
                _ => None,
            })
        })
    }

    /// The object tracked last is the last of the youngest generation, whose head is behind it: as long as no collection
    /// comes between.
    fn find(py: Python<'_>) -> PyResult<Option<Youngest>> {
        let gc = py.import("gc")?;
        let thresholds: (i32, i32, i32) = gc.getattr("get_threshold")?.call0()?.extract()?;
        let get_count = gc.getattr("get_count")?;
        let last = pyo3::types::PyList::empty(py);
        let link = link_of(last.as_ptr());
        // SAFETY: a tracked object's links are live ones.
        let head = unsafe { (*link).next };
        // Before anything else is read: a generation's head comes back to the last of its objects.
        // SAFETY: as above, unless it is null.
        if head.is_null() || unsafe { (*head).previous } != link {
            return Ok(None);
        }
        let young = head.cast::<Generation>();
        let counts: (i32, i32, i32) = get_count.call0()?.extract()?;
        let [first, second, third] = [0, 1, 2].map(|age| {
            // SAFETY: a generation's head has two more after it; all three are the interpreter's.
            let place = unsafe { young.add(age) };
            // SAFETY: as above.
            let threshold = unsafe { (*place).threshold };
            // SAFETY: as above.
            let count = unsafe { (*place).count };
            (threshold, count)
        });
        // The counts of a moment later: a few more objects are young by then.
        let as_said = (first.0, second.0, third.0) == thresholds
            && (second.1, third.1) == (counts.1, counts.2)
            && (first.1 - counts.0).abs() < 100;
        Ok(as_said.then_some(Youngest(young)))
    }

    /// Whether objects go where they are meant to: a cycle that was moved outlives a young collection, and one that was
    /// not does not.
    fn moves(py: Python<'_>, young: &Youngest) -> PyResult<bool> {
        let moved = cycle(py)?;
        join(young);
        let stayed = cycle(py)?;
        collect_young(py)?;
        let (moved, stayed) = (moved.call0()?, stayed.call0()?);
        if moved.is_none() {
            return Ok(false);
        }
        moved.call_method0("clear")?;
        Ok(stayed.is_none())
    }

    /// A weak reference to a deque that nothing but itself holds.
    fn cycle(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let deque = py.import("collections")?.getattr("deque")?.call0()?;
        deque.call_method1("append", (&deque,))?;
        py.import("weakref")?.getattr("ref")?.call1((deque,))
    }

    fn link_of(object: *mut PyObject) -> *mut Link {
        object.cast::<Link>().wrapping_sub(1)
    }

    /// Appends the youngest generation to the middle one.
    fn join(young: &Youngest) {
        let young = young.0;
        // SAFETY: `find` has seen both.
        let middle = unsafe { young.add(1) }.cast::<Link>();
        let young = young.cast::<Link>();
        // SAFETY: as above; attached, and a collection that is under way does not keep its place in a list while it
        // calls code of others.
        let first = unsafe { (*young).next };
        if ptr::eq(first, young) {
            return;
        }
        // SAFETY: as above.
        let last = unsafe { (*young).previous };
        // SAFETY: as above.
        let end = unsafe { (*middle).previous };
        link(end, first);
        link(last, middle);
        link(young, young);
    }

    /// Puts one link behind another, whose flags it keeps.
    fn link(one: *mut Link, other: *mut Link) {
        // SAFETY: links of live objects or of generations.
        unsafe { (*one).next = other };
        // SAFETY: as above.
        let place = unsafe { &mut (*other).previous };
        *place = one.map_addr(|address| address | (place.addr() & FLAGS));
    }

    /// Leaves what is young where a collection that finds nothing leaves it.
    pub fn settle() {
        if let Some(young) = YOUNGEST.get() {
            // SAFETY: `find` has seen it; attached, so nobody else counts.
            unsafe { (*young.0).count = 0 };
            join(young);
        }
    }
}

#[cfg(any(Py_3_14, Py_GIL_DISABLED))]
mod known {
    //! Nothing is.

    use pyo3::prelude::*;

    pub fn learn(_py: Python<'_>) -> PyResult<bool> {
        Ok(false)
    }

    pub fn settle() {}
}

/// Whether objects can be put where a collection would leave them; found out when first asked.
pub fn learn_generations(py: Python<'_>) -> PyResult<bool> {
    known::learn(py)
}

pub use known::settle;
