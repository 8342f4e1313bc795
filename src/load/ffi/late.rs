//! What is found out about a module's objects when the first of them is made: nobody pays for what is not loaded.

use std::cell::UnsafeCell;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::layout;

/// Something that is asked for once.
pub(super) struct Late<T>(UnsafeCell<Found<T>>);

enum Found<T> {
    /// Nobody has asked yet.
    Unasked,
    /// It is not as expected, or is being asked for.
    Closed,
    /// It has passed its test.
    Open(T),
}

// SAFETY: the module keeps the interpreter lock (`gil_used`), and every method is called attached. What is open is never
// written again, so a reference to it stays good.
unsafe impl<T> Sync for Late<T> {}

impl<T> Late<T> {
    /// Nobody has asked yet.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(Found::Unasked))
    }

    /// What was found, where the ways of [`super::layout`] are open.
    #[inline(always)]
    pub fn get(&self) -> Option<&T> {
        self.found().filter(|_| layout::is_open())
    }

    /// What was found, even where the ways are closed by now.
    #[inline(always)]
    pub fn found(&self) -> Option<&T> {
        // SAFETY: see `Sync`.
        match unsafe { &*self.0.get() } {
            Found::Open(found) => Some(found),
            _ => None,
        }
    }

    /// Asks, where nobody has and ways may be open at all. Whether there is something now. An interpreter in which the
    /// test itself fails is not as expected; only what stops a program stops the load.
    #[cold]
    pub fn learn(
        &self,
        py: Python<'_>,
        find: impl FnOnce() -> PyResult<Option<T>>,
    ) -> PyResult<bool> {
        // SAFETY: see `Sync`.
        let unasked = matches!(unsafe { &*self.0.get() }, Found::Unasked);
        if unasked && layout::is_open() {
            // Finding out may import, and so load: that load takes the slow way.
            self.put(Found::Closed);
            match find() {
                Ok(Some(found)) => self.put(Found::Open(found)),
                Err(error) if !error.is_instance_of::<PyException>(py) => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        Ok(self.get().is_some())
    }

    fn put(&self, found: Found<T>) {
        // SAFETY: see `Sync`; nobody has a reference into what is not open.
        unsafe { *self.0.get() = found }
    }
}
