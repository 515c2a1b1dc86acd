//! What can be wrong with a transport stream, and where.

use crate::packet::PacketError;
use crate::pes::PesError;
use crate::psi::SectionError;
use media::codec::{adts, in_band, latm, opus};

/// Something was wrong; what follows is read all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}, PID {pid}: {error}")]
pub struct Fault {
    /// Where the packet stands in which it was noticed, in bytes from the start of the stream.
    pub position: u64,
    /// The packet's PID.
    pub pid: u16,
    /// What was wrong.
    pub error: Error,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A packet cannot be read.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// Packets are missing before this one.
    #[error("packets are missing: continuity counter {found} where {expected} was due")]
    Continuity {
        /// The counter that was due.
        expected: u8,
        /// The counter of the packet.
        found: u8,
    },
    /// A table cannot be used; the one before stays.
    #[error(transparent)]
    Section(#[from] SectionError),
    /// A PES packet cannot be used.
    #[error(transparent)]
    Pes(#[from] PesError),
    /// A parameter set cannot be used.
    #[error("parameter set: {0}")]
    ParameterSet(#[from] in_band::SetError),
    /// AAC behind ADTS headers that cannot be used.
    #[error(transparent)]
    Adts(#[from] adts::AdtsError),
    /// AAC in LATM that cannot be used.
    #[error(transparent)]
    Latm(#[from] latm::MultiplexError),
    /// The configuration of Opus cannot be used.
    #[error(transparent)]
    Opus(#[from] opus::ConfigError),
    /// Bytes between frames that belong to none.
    #[error("{0} bytes that belong to no frame")]
    NoFrame(usize),
    /// A frame is not what its format prescribes.
    #[error("{0}")]
    Frame(&'static str),
    /// More than [`MAX_UNIT`](crate::MAX_UNIT) bytes, or more NAL units than any encoder makes.
    #[error("access unit beyond the limit of {limit} {of}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// What is limited.
        of: &'static str,
    },
}
