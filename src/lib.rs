//! picklist.
pub mod error;
pub mod inspect;
pub mod machine;
pub mod policy;
pub mod stream;
