//! Streams that are live: those that come in, and those that are pushed. Viewers are none of them.

use super::functions::Call;
use super::{Door, Result, pull, push, refused};
use crate::control::View;
use crate::control::supervisor::Phase;
use crate::control::targets::TargetView;
use crate::hub::{Snapshot, StreamName};
use media::Kind;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// A stream that is live.
enum Live {
    In(Box<View>, Box<Snapshot>),
    Out(Box<View>, Box<TargetView>),
}

/// Of a publisher's number: even ones are streams that come in, odd ones those that go out.
pub(super) const fn inbound_id(publisher: u64) -> u64 {
    publisher.saturating_mul(2)
}

/// Of an attempt's number.
pub(super) const fn outbound_id(run: u64) -> u64 {
    run.saturating_mul(2).saturating_add(1)
}

impl Live {
    fn id(&self) -> u64 {
        match self {
            Self::In(_, stream) => inbound_id(stream.publisher),
            Self::Out(_, target) => outbound_id(target.state.run),
        }
    }
}

pub(super) fn list(door: &Door) -> (Value, String) {
    let streams = all(door);
    let objects = streams.iter().map(|live| object(door, live));
    (objects.collect(), "Available streams".to_owned())
}

pub(super) fn ids(door: &Door) -> (Value, String) {
    let ids = all(door).iter().map(Live::id).collect::<Vec<_>>();
    (ids.into(), "Available stream IDs".to_owned())
}

pub(super) fn count(door: &Door) -> (Value, String) {
    let count = all(door).len();
    (
        json!({ "streamCount": count }),
        "Active streams count".to_owned(),
    )
}

pub(super) fn info(door: &Door, call: &Call) -> Result {
    let live = find(door, call)?;
    let live = live.ok_or_else(|| not_found(call))?;
    Ok((object(door, &live), "Stream information".to_owned()))
}

pub(super) fn is_running(door: &Door, call: &Call) -> Result {
    let running = find(door, call)?.is_some();
    Ok((json!({ "Running": running }), "Stream status:".to_owned()))
}

pub(super) async fn shut_down(door: &Door, call: &Call) -> Result {
    let live = find(door, call)?;
    let live = live.ok_or_else(|| not_found(call))?;
    let data = json!({
        "protocolStackInfo": { "carrier": null, "stack": [] },
        "streamInfo": object(door, &live),
    });
    let permanently = call.flag("permanently");
    let ended = match &live {
        Live::In(view, _) if !view.pulled => door.control.stop(&view.name).await,
        Live::In(view, _) if permanently => door.control.remove_source(&view.name).await,
        Live::In(view, _) => match door.control.stop(&view.name).await {
            Ok(()) => door.control.start(&view.name).await,
            refused => refused,
        },
        Live::Out(view, target) if permanently => {
            let id = &target.endpoint.id;
            door.control.remove_target(&view.name, id).await
        }
        Live::Out(view, target) => {
            let id = &target.endpoint.id;
            door.control.restart_target(&view.name, id)
        }
    };
    ended.map_err(refused)?;
    Ok((data, "Stream closed".to_owned()))
}

fn all(door: &Door) -> Vec<Live> {
    let mut all = Vec::new();
    for mut view in door.control.list_all() {
        let stream = view.stream.take().filter(|stream| stream.publishing);
        for target in &view.targets {
            if target.state.phase == Phase::Live {
                all.push(Live::Out(view.clone().into(), target.clone().into()));
            }
        }
        if let Some(stream) = stream {
            all.push(Live::In(view.into(), stream.into()));
        }
    }
    all.sort_by_key(Live::id);
    all
}

/// The stream that is meant: one that comes in where it is meant by its name.
fn find(door: &Door, call: &Call) -> Result<Option<Live>> {
    let mut all = all(door).into_iter();
    if let Some(id) = call.given("id") {
        return Ok(all.find(|live| live.id().to_string() == id));
    }
    let local = call.given("localStreamName");
    let local = local.ok_or("The parameter id or localStreamName is needed")?;
    let name = door.stream(local)?;
    Ok(all.find(|live| matches!(live, Live::In(view, _) if view.name == name)))
}

fn not_found(call: &Call) -> String {
    match call.given("id") {
        Some(id) => format!("There is no stream with the id {id}"),
        None => format!("There is no stream {}", call.text("localStreamName")),
    }
}

fn object(door: &Door, live: &Live) -> Value {
    match live {
        Live::In(view, stream) => inbound(door, view, stream),
        Live::Out(view, target) => outbound(door, &view.name, target),
    }
}

pub(super) fn inbound(door: &Door, view: &View, stream: &Snapshot) -> Value {
    let origin = &stream.origin;
    let far = origin.address.parse::<SocketAddr>().ok();
    let outs = view.targets.iter();
    let outs = outs.filter(|target| target.state.phase == Phase::Live);
    let outs: Vec<u64> = outs.map(|target| outbound_id(target.state.run)).collect();
    let mut object = common(&view.name, origin.protocol, "IN", stream.since);
    let own = json!({
        "audio": track(stream, Kind::Audio),
        "bandwidth": stream.bits_per_second / 1_000,
        "bytesCount": stream.bytes,
        "farIp": far.map(|far| far.ip().to_string()).unwrap_or_default(),
        "farPort": far.map_or(0, |far| far.port()),
        "ip": far.map(|far| far.ip().to_string()).unwrap_or_default(),
        "name": door.local(&view.name),
        "outStreamsUniqueIds": if outs.is_empty() { Value::Null } else { outs.into() },
        "packetsCount": stream.access_units,
        "port": far.map_or(0, |far| far.port()),
        "serverAgent": origin.agent.clone().unwrap_or_default(),
        "uniqueId": inbound_id(stream.publisher),
        "video": track(stream, Kind::Video),
    });
    add(&mut object, own);
    if view.pulled && view.broadcast.kind.is_pulled() {
        let settings = pull::object(door, view);
        object.insert("pullSettings".to_owned(), settings.into());
    }
    object.into()
}

pub(super) fn outbound(door: &Door, name: &StreamName, target: &TargetView) -> Value {
    let settings = push::object(door, name, &target.endpoint);
    let state = &target.state;
    let scheme = settings["targetUri"]["scheme"].as_str();
    let mut object = common(name, scheme.unwrap_or_default(), "ON", state.since);
    let of_target = |key: &str| settings["targetUri"][key].clone();
    let own = json!({
        "bandwidth": state.bits_per_second() / 1_000,
        "bytesCount": state.sent().bytes,
        "canDropFrames": true,
        "droppedPacketsCount": state.sent().dropped,
        "farIp": of_target("ip"),
        "farPort": of_target("port"),
        "ip": of_target("ip"),
        "name": settings["targetStreamName"],
        "packetsCount": state.sent().access_units,
        "port": of_target("port"),
        "state": super::configs::state(target),
        "uniqueId": outbound_id(state.run),
    });
    add(&mut object, own);
    object.insert("pushSettings".to_owned(), settings.into());
    object.into()
}

/// What streams have in both directions.
fn common(
    name: &StreamName,
    protocol: &str,
    direction: &str,
    since: SystemTime,
) -> Map<String, Value> {
    let now = SystemTime::now();
    let up = now.duration_since(since).unwrap_or_default();
    let letter = protocol
        .chars()
        .next()
        .map(|letter| letter.to_ascii_uppercase());
    let tag: String = direction.chars().chain(letter).collect();
    let object = json!({
        "appName": name.app(),
        "creationTimestamp": millis(since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        "edgePid": 0,
        "nearIp": "",
        "nearPort": 0,
        "pageUrl": "",
        "processId": std::process::id(),
        "processType": "origin",
        "protocol": protocol,
        "queryTimestamp": millis(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        "swfUrl": "",
        "tcUrl": "",
        "type": tag,
        "typeNumeric": numeric(&tag),
        "upTime": millis(up),
    });
    let mut common = Map::new();
    add(&mut common, object);
    common
}

fn add(object: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        object.extend(more);
    }
}

fn track(stream: &Snapshot, kind: Kind) -> Value {
    let letter = match kind {
        Kind::Audio => 'A',
        _ => 'V',
    };
    let track = stream.tracks.first(kind);
    let codec = track.map_or("UNK", |track| track.codec.name());
    let codec = codec.chars().filter(char::is_ascii_alphanumeric);
    let codec: String = std::iter::once(letter).chain(codec).collect();
    let codec = codec.to_ascii_uppercase();
    let mut object = json!({ "codec": codec, "codecNumeric": numeric(&codec) });
    if let Some((width, height)) = track.and_then(|track| track.codec.size()) {
        object["width"] = width.into();
        object["height"] = height.into();
    }
    object
}

/// A tag of up to eight letters as a number: the first letter is the highest byte.
fn numeric(tag: &str) -> u64 {
    let mut bytes = [0; 8];
    for (byte, letter) in bytes.iter_mut().zip(tag.bytes()) {
        *byte = letter;
    }
    u64::from_be_bytes(bytes)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_directions_differ_and_tags_are_numbers() {
        assert_eq!((inbound_id(1), outbound_id(1)), (2, 3));
        assert_eq!(numeric("INR"), 0x494e_5200_0000_0000);
    }
}
