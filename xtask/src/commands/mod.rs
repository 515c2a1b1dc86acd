//! The commands, one file each. All take the arguments after their name and give the exit status.

pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod dist;
pub(crate) mod fuzz;
pub(crate) mod run;
pub(crate) mod test;
pub(crate) mod unsafety;
