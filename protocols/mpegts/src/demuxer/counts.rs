//! What happened to a stream.

/// What happened so far. Packets and sections of other programs are not looked at, and not counted but as packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets, those that carry nothing included.
    pub packets: u64,
    /// Packets that were marked as damaged on their way, and dropped.
    pub transport_errors: u64,
    /// Packets that cannot be read.
    pub malformed_packets: u64,
    /// Places at which packets of a PID are missing, by its continuity counter.
    pub continuity_errors: u64,
    /// Packets that were sent twice, and dropped once.
    pub duplicates: u64,
    /// Packets that were dropped because they are encrypted.
    pub scrambled_packets: u64,
    /// Sections that were not used.
    pub malformed_sections: u64,
    /// PES packets that were not used, or cut short.
    pub malformed_pes: u64,
    /// Access units that were given.
    pub units: u64,
    /// Access units, or pieces of sound, of which parts are missing: they were dropped.
    pub damaged_units: u64,
    /// Access units that were dropped since the configuration was not known yet.
    pub units_before_configuration: u64,
    /// Access units that were dropped since nothing told their time.
    pub units_without_time: u64,
}
