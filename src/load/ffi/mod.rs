//! The only unsafe code: references with provenance, and what the safe API has no fast form of.
//!
//! Everything here is called with the interpreter attached; [`Value`] is neither `Send` nor `Sync`, so it cannot leave
//! the thread that attached. Free-threaded builds take the checked path where a container's fields are written.

#![allow(unsafe_code)]

mod collector;
mod containers;
mod instances;
mod layout;
mod scalars;
mod shared;
mod template;
mod value;
mod whole;

pub use collector::Collector;
pub use containers::*;
pub use instances::*;
pub use layout::{
    float, heed_tracer, int, knows_dicts, learn, quick_float, quick_int, quick_short, ways,
};
pub use scalars::*;
pub use shared::*;
pub use template::Template;
pub use value::{DEPTH_MAX, Survey, Tag, Value};
pub use whole::{Whole, whole};

/// Most keys of a dict that is copied from a template.
pub const LARGEST_TEMPLATE: usize = 32;
