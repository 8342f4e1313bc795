//! picklist.
pub mod error;
pub mod machine;
pub mod stream;
