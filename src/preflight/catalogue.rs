//! The two tables of facts, embedded once: the reasons and the types.
//!
//! The texts are TOML so that people can read and extend them; Python reads
//! them when something has to be explained, and the documentation pages are
//! generated from them.

use pyo3::prelude::*;

const REASONS: &str = include_str!("catalogue.toml");
const KINDS: &str = include_str!("kinds.toml");

/// The catalogue of reasons: code, slug, severity, stage, cause, fixes.
#[pyfunction]
pub fn reason_catalogue() -> &'static str {
    REASONS
}

/// The catalogue of types that do not pickle: type names, code, remedies.
#[pyfunction]
pub fn kind_catalogue() -> &'static str {
    KINDS
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reason {
        code: String,
        slug: String,
        severity: String,
        stage: String,
        summary: String,
        cause: String,
        fixes: Vec<String>,
        #[serde(default)]
        before: String,
        #[serde(default)]
        after: String,
    }

    #[derive(Deserialize)]
    struct Reasons {
        reason: Vec<Reason>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Kind {
        types: Vec<String>,
        code: String,
        noun: String,
        #[serde(default)]
        recreate: String,
        #[serde(default)]
        replace: String,
        #[serde(default)]
        advice: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Kinds {
        kind: Vec<Kind>,
    }

    #[test]
    fn every_reason_is_complete_and_unique() {
        let table: Reasons = toml::from_str(super::REASONS).unwrap();
        let mut codes = HashSet::new();
        let mut slugs = HashSet::new();
        for reason in &table.reason {
            assert!(codes.insert(&reason.code), "{} twice", reason.code);
            assert!(slugs.insert(&reason.slug), "{} twice", reason.slug);
            assert!(reason.code.starts_with("PKL") && reason.code.len() == 6);
            assert!(["error", "warning"].contains(&reason.severity.as_str()));
            assert!(
                ["dump", "load", "silent", "context", "policy"].contains(&reason.stage.as_str())
            );
            assert!(!reason.summary.is_empty() && !reason.cause.is_empty());
            assert!(reason.fixes.len() >= 2, "{}: two fixes", reason.code);
            assert_eq!(reason.before.is_empty(), reason.after.is_empty());
        }
    }

    #[test]
    fn every_kind_has_a_known_code_and_one_row() {
        let reasons: Reasons = toml::from_str(super::REASONS).unwrap();
        let codes: HashSet<_> = reasons.reason.iter().map(|r| r.code.as_str()).collect();
        let kinds: Kinds = toml::from_str(super::KINDS).unwrap();
        let mut types = HashSet::new();
        for kind in &kinds.kind {
            assert!(codes.contains(kind.code.as_str()), "{}", kind.code);
            assert!(!kind.noun.is_empty());
            for name in &kind.types {
                assert!(types.insert(name), "{name} twice");
            }
            let remedies = [&kind.recreate, &kind.replace];
            let remedies = remedies.iter().filter(|text| !text.is_empty()).count();
            assert!(remedies + kind.advice.len() >= 1, "{:?}", kind.types);
        }
    }
}
