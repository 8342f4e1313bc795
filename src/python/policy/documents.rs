//! Policies from files and into them. Finds and reads them, and adds the file and the line to what is wrong with them;
//! adds comments to those it writes.

use std::collections::HashMap;

use pyo3::prelude::*;
use serde::Deserialize;
use toml::{Spanned, Table};

use crate::policy::{Meaning, Policy, PolicyError};
use crate::python::errors::policy_error;

/// Comments of a policy's document, line by line.
#[derive(Debug, Default)]
pub struct Notes {
    /// Above everything.
    pub top: Vec<String>,
    /// Above the entry of a module and name.
    pub entries: HashMap<(String, String), Vec<String>>,
}

/// The document of a policy, with its comments.
pub fn noted(policy: &Policy, notes: &Notes) -> String {
    let document = policy.to_toml();
    // The entries that a document spells out, in its order.
    let mut entries = policy
        .entries()
        .map(|(_, entry)| entry)
        .filter(|entry| entry.preset.is_none() && entry.meaning == Meaning::Object);
    let mut written = String::new();
    for line in &notes.top {
        comment(&mut written, line);
    }
    for line in document.lines() {
        if line == "[[entry]]"
            && let Some(entry) = entries.next()
        {
            let pair = (entry.module.to_string(), entry.name.to_string());
            for line in notes.entries.get(&pair).into_iter().flatten() {
                comment(&mut written, line);
            }
        }
        written.push_str(line);
        written.push('\n');
    }
    written
}

/// One line, whatever is in it.
fn comment(written: &mut String, line: &str) {
    written.push_str("# ");
    written.extend(line.chars().map(|c| if c.is_control() { '?' } else { c }));
    written.push('\n');
}

/// The policy of a document.
pub fn from_file(path: &Bound<'_, PyAny>) -> PyResult<Policy> {
    let path = path_of(path)?;
    let text = read(&path)?;
    match Policy::from_toml(&text) {
        Ok(policy) => Ok(policy),
        Err(error) => Err(located(&path, &text, &error)?),
    }
}

/// The policy in a `pyproject.toml`: the one given, or the nearest above the working directory with such a table.
pub fn from_pyproject<'py>(py: Python<'py>, path: Option<&Bound<'py, PyAny>>) -> PyResult<Policy> {
    if let Some(path) = path {
        let mut path = path_of(path)?;
        if path.call_method0("is_dir")?.is_truthy()? {
            path = path.call_method1("joinpath", ("pyproject.toml",))?;
        }
        return table_of(&path)?
            .ok_or_else(|| policy_error(py, &format!("{path} has no table [tool.picklist]")));
    }
    let here = py.import("pathlib")?.getattr("Path")?.call_method0("cwd")?;
    let mut folder = here.clone();
    loop {
        let path = folder.call_method1("joinpath", ("pyproject.toml",))?;
        if path.call_method0("is_file")?.is_truthy()?
            && let Some(policy) = table_of(&path)?
        {
            return Ok(policy);
        }
        let parent = folder.getattr("parent")?;
        if parent.eq(&folder)? {
            return Err(policy_error(
                py,
                &format!("no pyproject.toml with a table [tool.picklist] in {here} or above"),
            ));
        }
        folder = parent;
    }
}

fn table_of(path: &Bound<'_, PyAny>) -> PyResult<Option<Policy>> {
    let text = read(path)?;
    match Policy::from_pyproject(&text) {
        Ok(policy) => Ok(policy),
        Err(error) => Err(located(path, &text, &error)?),
    }
}

fn path_of<'py>(path: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    path.py().import("pathlib")?.getattr("Path")?.call1((path,))
}

/// Read by Python, whose errors name the file.
fn read(path: &Bound<'_, PyAny>) -> PyResult<String> {
    path.call_method1("read_text", ("utf-8",))?.extract()
}

fn located(path: &Bound<'_, PyAny>, text: &str, error: &PolicyError) -> PyResult<PyErr> {
    let line = line_of(text, error).map_or(String::new(), |line| format!(":{line}"));
    let path = path.str()?;
    Ok(policy_error(path.py(), &format!("{path}{line}: {error}")))
}

/// A document as far as positions in it go.
#[derive(Deserialize)]
struct Positions {
    base: Option<Spanned<toml::Value>>,
    policy: Option<Spanned<Table>>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    entry: Vec<Spanned<Table>>,
    rename: Option<Spanned<Table>>,
    extension: Option<Spanned<Table>>,
}

#[derive(Deserialize)]
struct PyprojectPositions {
    tool: ToolPositions,
}

#[derive(Deserialize)]
struct ToolPositions {
    picklist: Positions,
}

/// The line that an error is about, from 1: of the first part of the document that fails by itself.
fn line_of(text: &str, error: &PolicyError) -> Option<usize> {
    if let PolicyError::Document(message) = error
        && let Some((_, rest)) = message.split_once(" at line ")
    {
        return rest
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok();
    }
    let positions = match toml::from_str::<PyprojectPositions>(text) {
        Ok(nested) => nested.tool.picklist,
        Err(_) => toml::from_str(text).ok()?,
    };
    let at = positions.first_failing()?;
    Some(text.get(..at)?.matches('\n').count().saturating_add(1))
}

impl Positions {
    fn first_failing(&self) -> Option<usize> {
        let fails = |key: &str, value: toml::Value| {
            let mut part = Table::new();
            part.insert(key.to_owned(), value);
            let text = toml::to_string(&part).unwrap_or_default();
            Policy::from_toml(&text).is_err()
        };
        if let Some(base) = &self.base
            && fails("base", base.get_ref().clone())
        {
            return Some(base.span().start);
        }
        for (key, table) in [
            ("policy", &self.policy),
            ("rename", &self.rename),
            ("extension", &self.extension),
        ] {
            if let Some(table) = table
                && fails(key, table.get_ref().clone().into())
            {
                return Some(table.span().start);
            }
        }
        for path in &self.allow {
            if fails("allow", vec![path.get_ref().clone()].into()) {
                return Some(path.span().start);
            }
        }
        let failing = self
            .entry
            .iter()
            .find(|row| fails("entry", vec![row.get_ref().clone()].into()))?;
        Some(failing.span().start)
    }
}
