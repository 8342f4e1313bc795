//! Preflight: what a pickler would visit, and why it would stop.
//!
//! This room owns the walk (`walk.rs`), what `__reduce_ex__` may answer
//! (`reduce.rs`), whether a name leads back to its object (`global.rs`), what
//! the walk has seen (`trail.rs`) and the two tables of facts
//! (`catalogue.toml`: the reasons; `kinds.toml`: the types). It reports
//! *where* and *what*; the words for people are put together in
//! `python/picklist/_preflight`. It knows nothing of loading or of policies.

mod catalogue;
mod global;
mod objects;
mod plain;
mod reduce;
mod stock;
mod trail;
mod types;
pub mod walk;

pub use catalogue::{kind_catalogue, reason_catalogue};
pub use trail::Walk;
