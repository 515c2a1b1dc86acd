//! Whole sessions: our server and our client with each other, each with an independent peer in memory, and
//! the server with ffmpeg over TCP, with what real clients sent, and with what few do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests, which the lint does not see"
)]

mod encoders;
mod ffmpeg;
mod independent_client;
mod independent_server;
mod order;
mod ours;
mod quirks;
mod recorded;
mod support;
