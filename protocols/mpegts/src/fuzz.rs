//! Entry points for fuzzing, with the seeds they start from. Not part of the crate's interface.
