//! The classes that a module defines, for `Policy.from_module`.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::{PyModule, PyType};

/// Classes whose home is the module and whose name leads back to them, nested ones after the class around them.
pub fn classes_of<'py>(module: &Bound<'py, PyModule>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let home = module.name()?.extract::<String>()?;
    let mut found = Found {
        home,
        seen: HashSet::new(),
        classes: Vec::new(),
    };
    found.collect(module.as_any(), "")?;
    Ok(found.classes)
}

struct Found<'py> {
    home: String,
    seen: HashSet<usize>,
    classes: Vec<Bound<'py, PyAny>>,
}

impl<'py> Found<'py> {
    fn collect(&mut self, scope: &Bound<'py, PyAny>, outer: &str) -> PyResult<()> {
        for entry in scope
            .getattr("__dict__")?
            .call_method0("items")?
            .try_iter()?
        {
            let (name, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = entry?.extract()?;
            let (Ok(name), Ok(class)) = (name.extract::<String>(), value.cast::<PyType>()) else {
                continue;
            };
            let qualname = format!("{outer}{name}");
            if class.qualname()?.extract::<String>()? != qualname || !self.is_home(class)? {
                continue;
            }
            if self.seen.insert(class.as_ptr() as usize) {
                self.classes.push(value.clone());
                self.collect(&value, &format!("{qualname}."))?;
            }
        }
        Ok(())
    }

    fn is_home(&self, class: &Bound<'py, PyType>) -> PyResult<bool> {
        let module = class.getattr_opt("__module__")?;
        Ok(module.is_some_and(|module| module.extract::<String>().is_ok_and(|m| m == self.home)))
    }
}
