//! Sockets and threads: what every adapter needs of the operating system, and nothing of any protocol.

pub mod accepting;
pub mod acme;
pub mod fanout;
pub mod fetch;
pub mod file;
pub mod http;
pub mod https;
pub mod inflow;
pub mod interfaces;
pub mod listen;
pub mod objects;
pub mod patient;
pub mod pieces;
pub mod places;
pub mod policy;
pub mod redacted;
pub mod round_trip;
pub mod shard;
pub mod socket;
pub mod text;
pub mod tls;
pub mod udp;
mod watched;
pub mod websocket;
