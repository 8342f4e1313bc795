//! The text of a refusal and of a report: what is wrong, where, and the line of policy that would allow it.

use std::collections::BTreeSet;
use std::fmt;

use super::report::Inspection;
use super::uses::{GlobalUse, Refused};
use crate::error::Kind;
use crate::policy::{Policy, Preset, Rights};

/// Rows that a message shows.
const ROWS: usize = 20;
/// Width that a column may take.
const COLUMN: usize = 72;

/// What a message knows besides the inspection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Name of the file, if the pickle came from one.
    pub source: Option<&'a str>,
    /// Whether the loader had begun before the refusal, so that native values may have been built.
    pub begun: bool,
}

/// How messages call a policy: `policy 'std'`, `policy 'std' and 2 more names`.
pub(super) fn policy_name(policy: &Policy) -> String {
    if policy.is_unrestricted() {
        return "the unrestricted policy".into();
    }
    let own = policy
        .entries()
        .filter(|(_, entry)| entry.preset.is_none())
        .count();
    let base = base_of(policy);
    let quoted: Vec<String> = base.iter().map(|name| format!("'{name}'")).collect();
    match (quoted.is_empty(), own) {
        (true, 0) => "policy 'plain'".into(),
        (true, own) => format!("a policy of {own} {}", plural(own, "name")),
        (false, 0) => format!("policy {}", quoted.join(" + ")),
        (false, own) => format!(
            "policy {} and {own} more {}",
            quoted.join(" + "),
            plural(own, "name")
        ),
    }
}

/// The presets of a policy that no other one of them includes.
pub(super) fn base_of(policy: &Policy) -> Vec<&'static str> {
    outermost(&policy.presets().collect())
}

/// The presets that none of the others includes, in the order in which they are documented.
fn outermost(names: &BTreeSet<&'static str>) -> Vec<&'static str> {
    let mut inner = BTreeSet::new();
    let mut open: Vec<&str> = names.iter().copied().collect();
    while let Some(name) = open.pop() {
        let preset = Preset::all().iter().find(|preset| preset.name == name);
        for base in preset.into_iter().flat_map(|preset| &preset.extends) {
            if inner.insert(base.as_str()) {
                open.push(base);
            }
        }
    }
    Preset::all()
        .iter()
        .map(|preset| preset.name)
        .filter(|name| names.contains(name) && !inner.contains(name))
        .collect()
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}

/// 48,113.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// One row: offset, opcode, what, where, note.
struct Row {
    offset: u64,
    opcode: String,
    what: String,
    place: String,
    note: String,
}

impl Row {
    fn of(used: &GlobalUse) -> Self {
        let mut what = used.dotted();
        let called = used.rights.contains(Rights::CALL);
        if let Some(arguments) = used
            .arguments
            .first()
            .filter(|shown| called || *shown != "()")
        {
            what.push_str(if called {
                "  called with "
            } else {
                "  made with "
            });
            what.push_str(arguments);
        }
        let note = match (used.gadget, used.preset) {
            _ if used.allowed => String::new(),
            (Some(_), _) => "never needed to store data".to_owned(),
            (None, Some(preset)) => format!("in preset \"{preset}\""),
            (None, None) => String::new(),
        };
        Self {
            offset: used.offset,
            opcode: used.opcode.to_owned(),
            what,
            place: place(used.path.as_deref()),
            note,
        }
    }

    fn misuse(refused: &Refused, used: Option<&GlobalUse>) -> Self {
        let (what, note) = match (&refused.kind, used) {
            (Kind::ForbiddenCall { attempt, why, .. }, Some(used)) => (
                format!("{}  {attempt}", used.dotted()),
                cut(why, 2 * COLUMN),
            ),
            (Kind::NoPersistentLoad, _) => (
                "a persistent id, and no persistent_load".to_owned(),
                String::new(),
            ),
            (kind, _) => (cut(&kind.to_string(), COLUMN), String::new()),
        };
        Self {
            offset: refused.offset,
            opcode: refused.opcode.unwrap_or_default().to_owned(),
            what,
            place: match used {
                Some(_) => place(refused.path.as_deref()),
                None => String::new(),
            },
            note,
        }
    }
}

fn place(path: Option<&str>) -> String {
    match path {
        Some(path) => format!("at {path}"),
        None => "not in the result".into(),
    }
}

fn write_rows(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let shown = rows.get(..ROWS).unwrap_or(rows);
    let width = |column: fn(&Row) -> &str| {
        let widest = shown.iter().map(|row| column(row).chars().count()).max();
        widest.unwrap_or(0).min(COLUMN)
    };
    let offset = shown
        .iter()
        .map(|row| row.offset.to_string().len())
        .max()
        .unwrap_or(0);
    let opcode = width(|row| &row.opcode);
    let what = width(|row| &row.what);
    let place = width(|row| &row.place);
    for row in shown {
        let line = format!(
            "  byte {:<offset$}  {:<opcode$}  {:<what$}  {:<place$}  {}",
            row.offset,
            row.opcode,
            cut(&row.what, COLUMN),
            cut(&row.place, COLUMN),
            row.note
        );
        writeln!(f, "{}", line.trim_end())?;
    }
    match rows.len().saturating_sub(shown.len()) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}

impl Inspection {
    /// The explanation of a refusal; the text of `ForbiddenGlobalError` and `ForbiddenCallError`.
    pub fn render(&self, context: Context<'_>) -> String {
        Message {
            inspection: self,
            context,
        }
        .to_string()
    }

    /// The refusals that are not of a name as such.
    fn misuses(&self) -> impl Iterator<Item = &Refused> {
        self.refusals
            .iter()
            .filter(|refused| !matches!(refused.kind, Kind::ForbiddenGlobal { .. }))
    }
}

struct Message<'a> {
    inspection: &'a Inspection,
    context: Context<'a>,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inspection = self.inspection;
        let blocked: Vec<&GlobalUse> = inspection.blocked().collect();
        self.headline(f, blocked.len())?;
        f.write_str("\n\n")?;
        let mut rows: Vec<Row> = blocked.iter().map(|used| Row::of(used)).collect();
        rows.extend(inspection.misuses().map(|refused| {
            let used = refused.global.and_then(|at| inspection.globals.get(at));
            Row::misuse(refused, used)
        }));
        rows.sort_by_key(|row| row.offset);
        write_rows(f, &rows)?;
        if let Some(fault) = &inspection.fault {
            writeln!(f, "  after that the stream is at fault: {fault}")?;
        }
        let untouched = if self.context.begun {
            "nothing was imported or called for them."
        } else {
            "nothing was imported, called or built."
        };
        write!(f, "\n  {untouched}")?;
        self.lacks(f)?;
        self.remedy(f, &blocked)
    }
}

impl Message<'_> {
    fn headline(&self, f: &mut fmt::Formatter<'_>, names: usize) -> fmt::Result {
        let inspection = self.inspection;
        let misuses = inspection.misuses().count();
        let verb = |count: usize| if count == 1 { "is" } else { "are" };
        match (names, misuses) {
            (0, 0) => write!(f, "allowed by {}", inspection.policy)?,
            (names, 0) => write!(
                f,
                "{names} {} {} not allowed by {}",
                plural(names, "name"),
                verb(names),
                inspection.policy
            )?,
            (0, uses) => write!(
                f,
                "{uses} {} {} not allowed by {}",
                plural(uses, "use"),
                verb(uses),
                inspection.policy
            )?,
            (names, uses) => write!(
                f,
                "{names} {} and {uses} {} are not allowed by {}",
                plural(names, "name"),
                plural(uses, "use"),
                inspection.policy
            )?,
        }
        let size = grouped(inspection.size);
        match self.context.source {
            Some(source) => write!(f, " ({}, {size} bytes)", cut(source, 200).escape_debug()),
            None => write!(f, " ({size} bytes)"),
        }
    }

    /// What the caller would have to give for what the stream asks for.
    fn lacks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut persistent = false;
        for refused in self.inspection.misuses() {
            match refused.kind {
                Kind::UnknownExtension(code) => write!(
                    f,
                    "\n  if you know the code:  Policy(ext={{{code}: (\"module\", \"Name\")}})"
                )?,
                Kind::NoPersistentLoad if !persistent => {
                    persistent = true;
                    write!(f, "\n  if you know the ids:  persistent_load=your_function")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The policy that would allow the names, for those that data may need.
    fn remedy(&self, f: &mut fmt::Formatter<'_>, blocked: &[&GlobalUse]) -> fmt::Result {
        let wanted: Vec<&GlobalUse> = blocked
            .iter()
            .copied()
            .filter(|used| used.gadget.is_none())
            .collect();
        let see = match self.context.source {
            Some(source) => format!(
                "see all:  picklist scan {}",
                cut(source, 200).escape_debug()
            ),
            None => String::new(),
        };
        if wanted.is_empty() {
            return match see.as_str() {
                "" => Ok(()),
                see => write!(f, "\n  {see}"),
            };
        }
        let line = format!(
            "  if you trust {}:  {}        {see}",
            trusted(&wanted, blocked, self.inspection.misuses().next().is_none()),
            self.allowing(&wanted)
        );
        write!(f, "\n{}", line.trim_end())
    }

    /// `Policy(base=["std", "sklearn"], allow=["app.User"])`, or what to add to a policy that is more than presets.
    fn allowing(&self, wanted: &[&GlobalUse]) -> String {
        let needed = outermost(&wanted.iter().filter_map(|used| used.preset).collect());
        let own: Vec<String> = wanted
            .iter()
            .filter(|used| used.preset.is_none())
            .map(|used| format!("{:?}", used.written()))
            .collect();
        let own = match own.len() {
            0..=4 => own.join(", "),
            _ => "…".to_owned(),
        };
        let quoted = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            format!("base=[{}]", names.join(", "))
        };
        if self.inspection.extended {
            return match (own.is_empty(), needed.is_empty()) {
                (false, true) => format!("policy.extend({own})"),
                (true, _) => format!("policy | Policy({})", quoted(&needed)),
                (false, false) => format!("policy.extend({own}) | Policy({})", quoted(&needed)),
            };
        }
        let mut base = self.inspection.base.clone();
        base.extend(
            needed
                .iter()
                .filter(|name| !self.inspection.base.contains(name)),
        );
        let mut arguments = Vec::new();
        if !needed.is_empty() || base != ["std"] {
            arguments.push(quoted(&base));
        }
        if !own.is_empty() {
            arguments.push(format!("allow=[{own}]"));
        }
        format!("Policy({})", arguments.join(", "))
    }
}

/// Which of the blocked names a remedy is for: "it", "them", "the first two", …
fn trusted(wanted: &[&GlobalUse], blocked: &[&GlobalUse], rows_are_names: bool) -> String {
    const WORDS: [&str; 8] = [
        "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    let first = rows_are_names && blocked.starts_with(wanted);
    match (wanted.len(), blocked.len()) {
        (1, 1) => "it".to_owned(),
        (wanted, all) if wanted == all => "them".to_owned(),
        (1, _) if first => "the first".to_owned(),
        (count, _) if first => match WORDS.get(count - 2) {
            Some(word) => format!("the first {word}"),
            None => format!("the first {count}"),
        },
        (1, _) => wanted
            .first()
            .map_or_else(String::new, |used| cut(&used.dotted(), COLUMN)),
        (count, _) => format!("the {count} that data may need"),
    }
}

/// The whole report: every name, what it is used for, and whether that is allowed.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.refusals.len(), &self.fault) {
            (0, None) => format!("allowed by {}", self.policy),
            (0, Some(fault)) => fault.to_string(),
            (refused, _) => format!("{refused} refused by {}", self.policy),
        };
        writeln!(
            f,
            "{verdict}: protocol {}, {} bytes, {} {}, depth {}",
            self.protocol,
            grouped(self.size),
            self.globals.len(),
            plural(self.globals.len(), "name"),
            self.spent.depth
        )?;
        let mut rows: Vec<Row> = self.globals.iter().map(Row::of).collect();
        for (row, used) in rows.iter_mut().zip(&self.globals) {
            if row.note.is_empty() {
                row.note = if used.allowed {
                    "allowed".to_owned()
                } else {
                    used.why.clone().unwrap_or_default()
                };
            }
        }
        rows.extend(
            self.refusals
                .iter()
                .filter(|refused| refused.global.is_none())
                .map(|refused| Row::misuse(refused, None)),
        );
        write_rows(f, &rows)
    }
}
