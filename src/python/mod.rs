//! The PyO3 wrapper: functions, `Unpickler`, `Policy`, `Limits`, reports. Owns no rule.

pub mod allow;
pub mod doors;
pub mod errors;
pub mod functions;
pub mod inspect;
pub mod limits;
pub mod memo;
pub mod policy;
pub mod unpickler;
pub mod verdict;
