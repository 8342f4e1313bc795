//! The allowlists that come with the library: `presets/*.toml`, embedded and
//! read once. A preset's file opens with what it promises.

use once_cell::sync::Lazy;
use serde::Deserialize;

use super::PolicyError;
use super::capability::Entry;
use super::document::Row;

/// The embedded documents, in the order in which messages name them.
const DOCUMENTS: &[(&str, &str)] = &[
    ("plain", include_str!("presets/plain.toml")),
    ("std", include_str!("presets/std.toml")),
    ("std-extra", include_str!("presets/std-extra.toml")),
    ("enums", include_str!("presets/enums.toml")),
    ("exceptions", include_str!("presets/exceptions.toml")),
    ("paths", include_str!("presets/paths.toml")),
    ("zoneinfo", include_str!("presets/zoneinfo.toml")),
];

static PRESETS: Lazy<Result<Vec<Preset>, PolicyError>> = Lazy::new(|| {
    DOCUMENTS
        .iter()
        .map(|(name, text)| read(name, text))
        .collect()
});

/// A named allowlist and what it promises.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// No stream can break the memory safety of the process through it.
    pub memory_safe: bool,
    /// Using its entries runs Python code of the libraries it names.
    pub runs_python_code: bool,
    /// The presets it includes.
    pub extends: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetDocument {
    preset: PresetHeader,
    #[serde(default)]
    entry: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetHeader {
    name: String,
    promises: Promises,
    #[serde(default)]
    extends: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promises {
    memory_safe: bool,
    runs_python_code: bool,
}

impl Preset {
    /// Every preset.
    pub fn all() -> &'static [Preset] {
        PRESETS.as_deref().unwrap_or_default()
    }
}

/// The preset called `name`.
pub(super) fn get(name: &str) -> Result<&'static Preset, PolicyError> {
    let presets = PRESETS.as_ref().map_err(Clone::clone)?;
    presets
        .iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| PolicyError::UnknownPreset {
            name: name.to_owned(),
            known: presets.iter().map(|preset| preset.name).collect(),
        })
}

/// The presets with an entry of that exact name.
pub(super) fn naming(module: &str, name: &str) -> Vec<&'static str> {
    Preset::all()
        .iter()
        .filter(|preset| {
            preset
                .entries
                .iter()
                .any(|entry| entry.spellings().any(|known| known == (module, name)))
        })
        .map(|preset| preset.name)
        .collect()
}

fn read(name: &'static str, text: &str) -> Result<Preset, PolicyError> {
    let wrong = |why: String| PolicyError::Document(format!("preset {name}: {why}"));
    let document: PresetDocument =
        toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if document.preset.name != name {
        return Err(wrong(format!("it calls itself {}", document.preset.name)));
    }
    let mut entries = Vec::new();
    for row in &document.entry {
        entries.push(row.preset_entry(name)?);
        entries.extend(row.member_entries(name));
    }
    Ok(Preset {
        name,
        memory_safe: document.preset.promises.memory_safe,
        runs_python_code: document.preset.promises.runs_python_code,
        extends: document.preset.extends,
        entries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Meaning, Policy, Rights};

    #[test]
    fn test_every_embedded_document_is_read() {
        let presets = PRESETS.as_ref().unwrap();
        assert_eq!(presets.len(), DOCUMENTS.len());
        for preset in presets {
            assert!(preset.memory_safe, "{}", preset.name);
            for base in &preset.extends {
                assert!(get(base).is_ok());
            }
            Policy::preset(&[preset.name]).unwrap().build().unwrap();
        }
        let all: Vec<_> = presets.iter().map(|preset| preset.name).collect();
        Policy::preset(&all).unwrap().build().unwrap();
    }

    #[test]
    fn test_an_unknown_preset_lists_the_known_ones() {
        let error = Policy::preset(&["numppy"]).unwrap_err().to_string();
        assert!(
            error.contains("\"numppy\"") && error.contains("plain, std"),
            "{error}"
        );
    }

    #[test]
    fn test_std_is_what_the_documentation_lists() {
        let mut found: Vec<String> = Policy::std()
            .entries()
            .map(|(_, entry)| entry.path())
            .collect();
        found.sort();
        let mut listed: Vec<&str> = "
            _codecs.encode _operator.or_ array._array_reconstructor array.array
            builtins.Ellipsis builtins.NotImplemented builtins.bool builtins.bytearray builtins.bytes
            builtins.complex builtins.dict builtins.float builtins.frozenset builtins.getattr
            builtins.int builtins.list builtins.object builtins.range builtins.set builtins.slice
            builtins.str builtins.tuple builtins.type collections.Counter collections.OrderedDict
            collections.defaultdict collections.deque copyreg.__newobj__ copyreg.__newobj_ex__
            copyreg._reconstructor datetime.date datetime.datetime datetime.time
            datetime.timedelta datetime.timezone decimal.Decimal fractions.Fraction
            functools.partial ipaddress.IPv4Address ipaddress.IPv4Interface ipaddress.IPv4Network
            ipaddress.IPv6Address ipaddress.IPv6Interface ipaddress.IPv6Network pathlib.PurePath
            pathlib.PurePosixPath pathlib.PureWindowsPath types.SimpleNamespace uuid.SafeUUID
            uuid.UUID"
            .split_whitespace()
            .collect();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }

    #[test]
    fn test_no_row_is_without_rights() {
        for entry in Preset::all().iter().flat_map(|preset| &preset.entries) {
            let rights = entry.grant().map_or(Rights::NONE, |grant| grant.rights);
            assert!(!rights.is_empty(), "{}", entry.path());
            if let Meaning::Object = entry.meaning {
                assert!(!entry.plain, "{} must be written out", entry.path());
            }
        }
    }

    #[test]
    fn test_naming_finds_the_preset() {
        assert_eq!(naming("pathlib", "PosixPath"), ["paths"]);
        assert!(naming("os", "system").is_empty());
    }
}
