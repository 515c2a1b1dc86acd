//! Millstream, a live stream server: any live stream in, to anywhere.
//!
//! The modules in the order in which a stream passes them; each uses only those above it and the protocol
//! crates (`ARCHITECTURE.md` shows the whole way, `tests/architecture.rs` keeps it so).

pub mod hub;

pub mod config;

pub mod telemetry;

pub mod net;

pub mod hooks;

pub mod segment;

pub mod record;

pub mod bridge;

pub mod transport;

pub mod store;

pub mod auth;

pub mod adapters;

pub mod inspect;

pub mod control;

pub mod panel;

pub mod api;

pub mod server;

pub mod commands;

#[doc(hidden)]
pub mod fuzz;
