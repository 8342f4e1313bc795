//! picklist.
pub mod error;
pub mod policy;
