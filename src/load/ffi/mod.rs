//! The only unsafe code: references with provenance, and what the safe API has no fast form of.
//!
//! Everything here is called with the interpreter attached; [`Value`] is neither `Send` nor `Sync`, so it cannot leave
//! the thread that attached. Free-threaded builds take the checked path where a container's fields are written.

#![allow(unsafe_code)]

mod api;
mod arrays;
mod buffers;
mod calendar;
mod collector;
mod containers;
mod decimals;
mod defaults;
mod deques;
mod door;
mod generations;
mod hash;
mod instances;
mod ints;
mod late;
mod layout;
#[cfg(target_arch = "x86_64")]
mod measure;
mod namespaces;
mod numpy;
mod ordered;
mod pages;
mod paths;
mod probing;
mod ranges;
mod scalars;
mod sets;
mod shared;
mod slotted;
mod stock;
mod table;
mod template;
mod text;
mod value;
#[cfg(target_arch = "x86_64")]
mod vectors;
mod whole;

pub use api::utf8;
pub use arrays::{array_of_bytes, array_of_items};
pub use buffers::{Held, bytearray_bytes, exact_bytes, is_bytes_b, is_one_zero, sides_of, truth};
pub use calendar::{LastZone, Zone, date, datetime, state_of, time, timedelta};
pub use collector::Collector;
pub use containers::*;
pub use decimals::decimal;
pub use defaults::default_dict;
pub use deques::{deque, deque_extend, deque_take, is_deque};
pub use door::{Counted, Door, Raised, with_door};
pub use instances::*;
pub use ints::{int, long, quick_int};
pub use layout::{heed_tracer, knows_dicts, learn, ways};
pub use namespaces::{is_namespace, namespace, namespace_dict};
pub use numpy::{
    Layout, knows_numpy, numpy_copy, numpy_dtype, numpy_filled, numpy_over, numpy_scalar,
    numpy_unfilled,
};
pub use ordered::{is_ordered, is_ordered_class, link, ordered_dict, ordered_set, takes_template};
pub use pages::Arenas;
pub use paths::{Flavour, path};
pub use ranges::{range, slice};
pub use scalars::{bool, bytearray, bytes, float, is_plain, none, quick_bytes, quick_float};
pub use sets::{are_free_keys, set_of, set_take};
pub use shared::*;
pub use slotted::{address4, address6, fraction};
pub use stock::stock_ways;
pub use table::dict_take;
pub use template::Template;
pub use text::{
    Text, ascii, ascii_bytes, character_bytes, intern, latin1, latin1_text, quick_ascii,
    quick_short,
};
pub use value::{DEPTH_MAX, Survey, Tag, Value};
pub use whole::{Whole, small_int, whole};

/// Most keys of a dict that is copied from a template.
pub const LARGEST_TEMPLATE: usize = 32;
