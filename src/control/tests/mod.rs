//! Sources under control, pulled by a scripted protocol on tokio's paused clock.

mod bench;
mod failover;
mod kept;
mod news;
mod operations;
mod pushing;
mod recording;
mod running;
mod state;
mod static_streams;
mod targets;
