//! The contract that every channel passes.

pub(crate) mod samples;
