//! The servers under test, each on free ports of the loopback interface with a home in a temporary folder.

mod millstream;
mod nginx;

pub use millstream::{Millstream, find as find_millstream};
pub use nginx::{Nginx, find as find_nginx};

use crate::error::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Application of the stream that is measured.
pub const APP: &str = "LiveApp";
/// Its id.
pub const STREAM: &str = "bench";

/// Where the multivariant playlist is, by Millstream and by the mirror of it.
pub fn playlist_path() -> String {
    format!("/{APP}/streams/{STREAM}.m3u8")
}

/// Where HTTP-FLV is.
pub fn flv_path() -> String {
    format!("/{APP}/streams/{STREAM}.flv")
}

/// Where readers by WHEP send their offers.
pub fn whep_path() -> String {
    format!("/{APP}/whep/{STREAM}")
}

/// An address that is free now, for servers that cannot choose one themselves.
fn free_address() -> Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    listener.local_addr().context("cannot find a free port")
}
