//! Bytes in, opcodes out.
//!
//! Owns the cursor, the opcode table and the operands of the text opcodes. Knows nothing of stacks, policies or Python.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod atoms;
pub mod lengths;
pub mod opcode;
pub mod reader;
pub mod text;

pub use opcode::Op;
pub use reader::Reader;
