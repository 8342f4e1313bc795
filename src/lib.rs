//! picklist.
pub mod error;
pub mod machine;
pub mod policy;
pub mod stream;
