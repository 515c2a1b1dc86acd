//! What both sides say of Enhanced RTMP when they connect (Enhanced RTMP v2, "Enhancing NetConnection connect
//! Command"): the codecs they can handle, as FourCCs, and a set of capabilities.

use crate::amf0::Value;
use crate::wire::cut;

/// It can be asked to connect once more.
pub const RECONNECT: u32 = 1;
/// It reads multitrack messages.
pub const MULTITRACK: u32 = 2;
/// It reads ModEx signals.
pub const MOD_EX: u32 = 4;
/// It reads nanosecond offsets.
pub const TIMESTAMP_NANO_OFFSET: u32 = 8;

/// The code of a request to connect once more.
pub(crate) const RECONNECT_REQUEST: &str = "NetConnection.Connect.ReconnectRequest";

/// "Can forward", of a codec in a FourCC map.
const CAN_FORWARD: f64 = 4.0;

const VIDEO: [&str; 5] = ["avc1", "hvc1", "av01", "vp09", "vp08"];
const AUDIO: [&str; 6] = ["mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3"];

/// Most codecs that are kept of a list.
const MAX_FOUR_CCS: usize = 64;

/// The codecs that the other side names among these properties, as FourCCs; `*` is any.
pub(crate) fn four_ccs<'a>(property: impl Fn(&str) -> Option<&'a Value>) -> Vec<String> {
    let mut four_ccs: Vec<String> = match property("fourCcList") {
        Some(Value::StrictArray(values)) => values
            .iter()
            .filter_map(Value::as_str)
            .take(MAX_FOUR_CCS)
            .map(|four_cc| cut(four_cc, 4).to_owned())
            .collect(),
        _ => Vec::new(),
    };
    // Version 2 has a map for each kind of media in place of the list.
    for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
        if let Some(Value::Object(codecs) | Value::EcmaArray(codecs)) = property(map) {
            let room = MAX_FOUR_CCS.saturating_sub(four_ccs.len());
            let codecs = codecs.iter().take(room);
            four_ccs.extend(codecs.map(|(four_cc, _)| cut(four_cc, 4).to_owned()));
        }
    }
    four_ccs
}

/// The properties that say so, of `connect` and of its answer.
pub(crate) fn announcement() -> [(String, Value); 4] {
    let map = |codecs: &[&str]| {
        let forwarded = |four_cc: &&str| ((*four_cc).to_owned(), CAN_FORWARD.into());
        Value::Object(codecs.iter().map(forwarded).collect())
    };
    let list = VIDEO.iter().chain(&AUDIO);
    let list = list.map(|four_cc| Value::from(*four_cc)).collect();
    let capabilities = RECONNECT | MULTITRACK | MOD_EX | TIMESTAMP_NANO_OFFSET;
    [
        ("fourCcList".to_owned(), Value::StrictArray(list)),
        ("videoFourCcInfoMap".to_owned(), map(&VIDEO)),
        ("audioFourCcInfoMap".to_owned(), map(&AUDIO)),
        ("capsEx".to_owned(), f64::from(capabilities).into()),
    ]
}
