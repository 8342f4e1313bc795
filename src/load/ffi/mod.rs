//! The only unsafe code: references with provenance, and what the safe API has no fast form of.
//!
//! Everything here is called with the interpreter attached; [`Value`] is neither `Send` nor `Sync`, so it cannot leave
//! the thread that attached. Free-threaded builds take the checked path where a container's fields are written.

#![allow(unsafe_code)]

mod containers;
mod instances;
mod scalars;
mod shared;
mod value;

pub use containers::*;
pub use instances::*;
pub use scalars::*;
pub use shared::*;
pub use value::{DEPTH_MAX, Survey, Tag, Value};
