//! Why a policy cannot be built. The text of every message stands here.

use super::contract::ContractError;

/// Why a policy cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No preset has that name.
    #[error("no preset is called {name:?}; the presets are: {}", .known.join(", "))]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A module or name that no pickle can mean.
    #[error("{path:?} cannot be an entry: {why}")]
    BadName {
        /// The name as given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name is a universal gadget.
    #[error(
        "{path} cannot be allowed: {reason}; whoever writes the pickle would run what they like \
         (if it must be, grant it by the call that says `dangerously`)"
    )]
    Gadget {
        /// The name.
        path: String,
        /// What it lets a stream do.
        reason: &'static str,
    },
    /// A native type cannot take a contract from outside.
    #[error(
        "{path} is built natively by preset {preset:?} under a contract of its own; allow it \
         without a contract, or start from base \"plain\""
    )]
    NativeContract {
        /// The name.
        path: String,
        /// The preset it comes from.
        preset: String,
    },
    /// One spelling would mean two entries.
    #[error("{path} would mean both {first} and {second}")]
    Ambiguous {
        /// The spelling.
        path: String,
        /// One entry.
        first: String,
        /// The other.
        second: String,
    },
    /// The policy refuses nothing, so nothing can be added to it.
    #[error("an unrestricted policy allows everything and cannot be combined or extended")]
    Unrestricted,
    /// A contract that cannot be read.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A policy document that cannot be read.
    #[error("the policy document cannot be read: {0}")]
    Document(String),
}
