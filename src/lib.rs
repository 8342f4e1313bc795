//! picklist.
pub mod error;
