//! Whole sessions: our client and our server with each other in memory, under a clock of their own, and a
//! recorded connection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests, which the lint does not see"
)]

mod corpus;
mod pair;
mod play;
mod record;
