//! What the muxer writes, and that the demuxer reads it as it was.

use super::*;
use crate::demuxer::{Demuxer, Event};
use crate::fuzz::tracks;
use crate::psi::descriptor;
use crate::splice;
use media::codec::g711;
use media::{Timebase, TrackId};

fn unit(track: u16, dts: i64, random_access: bool, payload: &'static [u8]) -> AccessUnit {
    AccessUnit {
        track: TrackId(track),
        dts,
        pts: dts,
        random_access,
        disposable: false,
        discontinuity: false,
        capture: None,
        payload: Bytes::from_static(payload),
    }
}

const IDR: &[u8] = &[0, 0, 0, 3, 0x65, 0x88, 1];

fn muxer() -> Muxer {
    let mut muxer = Muxer::default();
    muxer.set_tracks(&tracks()).unwrap();
    muxer
}

#[test]
fn players_can_begin_where_it_is_said() {
    let mut muxer = muxer();
    muxer.push(&unit(0, 0, true, IDR)).unwrap();
    muxer.push(&unit(0, 3_600, false, IDR)).unwrap();
    muxer.push(&unit(0, 7_200, true, IDR)).unwrap();
    let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
    let begins: Vec<bool> = chunks.iter().map(|chunk| chunk.random_access).collect();
    assert_eq!(begins, [true, false, true]);
    for chunk in chunks.iter().filter(|chunk| chunk.random_access) {
        let mut demuxer = Demuxer::default();
        demuxer.push(&chunk.data);
        demuxer.flush();
        let events: Vec<Event> = std::iter::from_fn(|| demuxer.pull()).collect();
        let kinds = (&events[0], &events[1], &events[2]);
        assert!(matches!(
            kinds,
            (Event::Program(_), Event::Track(_), Event::Unit(_))
        ));
        let allocated = chunk.data.len();
        assert_eq!(allocated % SIZE, 0);
    }
}

#[test]
fn sound_waits_for_a_tenth_of_a_second_and_no_longer() {
    let mut muxer = muxer();
    let mut times = Vec::new();
    for frame in 0..20 {
        muxer
            .push(&unit(1, frame * 1_024, true, &[0x21; 300]))
            .unwrap();
        times.extend(std::iter::from_fn(|| muxer.pull()).map(|chunk| (frame, chunk.units)));
    }
    // Between them are clocks alone, since no pictures bring any.
    times.retain(|(_, units)| *units > 0);
    assert_eq!(times, [(3, 4), (7, 4), (11, 4), (15, 4), (19, 4)]);
    // A gap is not papered over, and pictures do not wait.
    muxer
        .push(&unit(1, 20 * 1_024, true, &[0x21; 300]))
        .unwrap();
    muxer
        .push(&unit(1, 25 * 1_024, true, &[0x21; 300]))
        .unwrap();
    let mut units = std::iter::from_fn(|| muxer.pull()).map(|chunk| chunk.units);
    assert_eq!(units.find(|units| *units > 0), Some(1));
    muxer.push(&unit(0, 25 * 1_920 + 9_000, true, IDR)).unwrap();
    let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
    assert!(chunks.last().unwrap().random_access);
    assert!(chunks.iter().rev().skip(1).any(|chunk| chunk.units == 1));
}

#[test]
fn clocks_grow_however_small_a_picture_and_however_long_its_interval() {
    const MEDIUM: &[u8] = &{
        let mut picture = [0x88; 700];
        let [_, _, high, low] = 696u32.to_be_bytes();
        (picture[0], picture[1], picture[2], picture[3]) = (0, 0, high, low);
        picture[4] = 0x65;
        picture
    };
    for interval in [3_600, 9_000, 18_000, 90_000] {
        for picture in [IDR, MEDIUM] {
            let mut muxer = muxer();
            for number in 0..20 {
                let unit = unit(0, number * interval, true, picture);
                muxer.push(&unit).unwrap();
            }
            let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
            let packets = chunks.iter().flat_map(|chunk| chunk.data.chunks(SIZE));
            let clocks: Vec<u64> = packets
                .filter_map(|packet| {
                    let packet = crate::packet::Packet::parse(packet.try_into().unwrap());
                    packet.unwrap().adaptation.clock
                })
                .collect();
            assert!(clocks.len() >= 20 && clocks.is_sorted_by(|a, b| a < b));
        }
    }
}

#[test]
fn a_delimiter_that_is_there_is_not_put_twice() {
    let mut muxer = muxer();
    let with = &[0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 3, 0x65, 0x88, 1];
    muxer.push(&unit(0, 0, true, with)).unwrap();
    let data = muxer.pull().unwrap().data;
    let count = |needle: &[u8]| {
        data.windows(needle.len())
            .filter(|window| *window == needle)
            .count()
    };
    assert_eq!(count(&[0, 0, 0, 1, 9]), 1);
    assert_eq!(count(&[0, 0, 0, 1, 0x67]), 1);
    assert_eq!(count(&[0, 0, 0, 1, 0x65]), 1);
}

#[test]
fn another_configuration_is_described_anew() {
    let mut muxer = muxer();
    muxer.push(&unit(0, 0, true, IDR)).unwrap();
    let mut data = muxer.pull().unwrap().data.to_vec();
    let [video, _] = tracks();
    muxer.set_tracks(&[video]).unwrap();
    muxer.push(&unit(0, 3_600, true, IDR)).unwrap();
    data.extend(muxer.pull().unwrap().data);
    let mut demuxer = Demuxer::default();
    demuxer.push(&data);
    demuxer.flush();
    let programs: Vec<_> = std::iter::from_fn(|| demuxer.pull())
        .filter_map(|event| match event {
            Event::Program(pmt) => Some((pmt.version, pmt.streams.len())),
            _ => None,
        })
        .collect();
    assert_eq!(programs, [(0, 2), (1, 1)]);
    assert_eq!(demuxer.counts().continuity_errors, 0);
}

#[test]
fn what_is_refused() {
    let mut muxer = muxer();
    let [video, _] = tracks();
    let telephone = Track {
        id: TrackId(5),
        timebase: Timebase::MILLIS,
        codec: Codec::G711 {
            law: g711::Law::A,
            sample_rate: Timebase::MILLIS,
            channels: 1,
        },
    };
    let error = muxer.set_tracks(&[telephone]).unwrap_err();
    assert_eq!(error.to_string(), "PCMA cannot be carried in MPEG-TS");
    let many = vec![video; 17];
    assert_eq!(muxer.set_tracks(&many), Err(MuxError::TooMany(17)));
    let unknown = muxer.push(&unit(9, 0, true, IDR)).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "access unit of track 9, which was not declared"
    );
    let cut = muxer.push(&unit(0, 0, true, &[0, 0, 0, 9, 1]));
    assert!(matches!(cut, Err(MuxError::Nal(_))));
    let long: &'static [u8] = &[7; 9_000];
    assert_eq!(
        muxer.push(&unit(1, 0, true, long)),
        Err(MuxError::Frame(9_000))
    );
    assert!(muxer.pull().is_none());
    muxer.push(&unit(0, 0, true, IDR)).unwrap();
    assert!(muxer.pull().is_some());
}

/// A track of data.
fn data(number: u16, data: Data) -> Track {
    Track {
        id: TrackId(number),
        codec: Codec::Data(data),
        timebase: Timebase::VIDEO,
    }
}

#[test]
fn data_is_read_as_it_was() {
    let [video, audio] = tracks();
    let descriptor = Bytes::from_static(b"eng\x10\x00\x01\x00\x01");
    let all = [
        video,
        audio,
        data(2, Data::Klv),
        data(3, Data::Id3),
        data(4, Data::Scte35),
        data(5, Data::Teletext(Bytes::from_static(b"deu\x09\x00"))),
        data(6, Data::DvbSubtitles(descriptor)),
    ];
    let mut muxer = Muxer::default();
    muxer.set_tracks(&all).unwrap();
    muxer.push(&unit(0, 0, true, IDR)).unwrap();
    muxer.push(&unit(0, 3_600, false, IDR)).unwrap();
    let payloads = [
        Bytes::from_static(b"\x06\x0e\x2b\x34 a triplet"),
        Bytes::from_static(b"ID3\x04\0\0\0\0\0\0"),
        splice::insert(45_000).into(),
        Bytes::from(vec![0x10; 1 + 3 * 46]),
        Bytes::from(vec![0x20; 1_000]),
    ];
    let units: Vec<AccessUnit> = (2..)
        .zip(payloads)
        .map(|(track, payload)| AccessUnit {
            payload,
            ..unit(track, 3_600, true, &[])
        })
        .collect();
    for unit in &units {
        muxer.push(unit).unwrap();
    }
    let stream: Vec<u8> = std::iter::from_fn(|| muxer.pull())
        .flat_map(|chunk| chunk.data)
        .collect();
    let mut demuxer = Demuxer::default();
    demuxer.push(&stream);
    demuxer.flush();
    let (mut found, mut described) = (Vec::new(), Vec::new());
    for event in std::iter::from_fn(|| demuxer.pull()) {
        match event {
            Event::Track(track) if track.kind() == Kind::Data => described.push(track),
            Event::Unit(unit) if unit.track.0 > 1 => found.push(unit),
            Event::Fault(fault) => panic!("{fault}"),
            Event::Program(pmt) => {
                let descriptors = &pmt.descriptors;
                assert!(descriptor::is_registered(descriptors, b"CUEI"));
                assert!(descriptor::find(descriptors, descriptor::METADATA_POINTER).is_some());
            }
            Event::Track(_) | Event::Unit(_) => {}
        }
    }
    assert_eq!(described, all[2..]);
    let expected = units.into_iter().map(|unit| AccessUnit {
        dts: unit.dts + 36_000,
        pts: unit.pts + 36_000,
        ..unit
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    // Teletext stands in whole packets.
    let header = stream
        .windows(9)
        .find(|window| window.starts_with(&[0, 0, 1, 0xbd]) && window[8] == 0x24);
    let length = u16::from_be_bytes([header.unwrap()[4], header.unwrap()[5]]);
    assert_eq!((length + 6) % 184, 0);
}

#[test]
fn data_alone_brings_its_clock() {
    let mut muxer = Muxer::default();
    muxer.set_tracks(&[data(0, Data::Scte35)]).unwrap();
    let broken = muxer.push(&unit(0, 0, true, b"no section"));
    assert_eq!(broken, Err(MuxError::Splice));
    let payload = splice::insert(7).into();
    muxer
        .push(&AccessUnit {
            payload,
            ..unit(0, 0, true, &[])
        })
        .unwrap();
    let data = muxer.pull().unwrap().data;
    let clocks = data.chunks(SIZE).filter(|packet| {
        let packet: &[u8; SIZE] = (*packet).try_into().unwrap();
        let packet = crate::packet::Packet::parse(packet).unwrap();
        packet.adaptation.clock.is_some()
    });
    assert_eq!(clocks.count(), 1);
    let metadata = self::data(0, Data::OnvifMetadata);
    assert!(matches!(
        muxer.set_tracks(&[metadata]),
        Err(MuxError::Codec(_))
    ));
}

fn packets(chunks: &[Chunk]) -> Vec<crate::packet::Packet<'_>> {
    let packets = chunks
        .iter()
        .flat_map(|chunk| chunk.data.as_chunks::<SIZE>().0);
    let packets = packets.map(|packet| crate::packet::Packet::parse(packet).unwrap());
    packets.collect()
}

#[test]
fn a_pid_that_comes_back_goes_on_counting() {
    let [video, audio] = tracks();
    let both = [video, audio];
    let mut muxer = muxer();
    let mut demuxer = Demuxer::default();
    for number in 0..12i64 {
        muxer.push(&unit(0, number * 3_600, true, IDR)).unwrap();
        let sound = unit(1, number * 1_920, true, &[0x21; 300]);
        // Once with something between, once without.
        if number % 3 != 2 {
            muxer.push(&sound).unwrap();
        }
        muxer.flush();
        let tracks = if number % 3 == 1 { &both[..1] } else { &both };
        muxer.set_tracks(tracks).unwrap();
        if number % 4 == 3 {
            muxer.set_tracks(&both[1..]).unwrap();
            muxer.set_tracks(&both).unwrap();
        }
        std::iter::from_fn(|| muxer.pull()).for_each(|chunk| demuxer.push(&chunk.data));
    }
    demuxer.flush();
    assert_eq!(demuxer.counts().continuity_errors, 0);
    assert_eq!(demuxer.counts().units, 12 + 8);
}

#[test]
fn all_is_there_before_the_clock_says_so_however_slow_the_pictures() {
    let large = [&[0, 0, 0x75, 0x30, 0x65, 0x88][..], &[7; 29_998]].concat();
    let mut muxer = muxer();
    for second in 0..4i64 {
        let mut picture = unit(0, second * 90_000, true, IDR);
        picture.payload = large.clone().into();
        muxer.push(&picture).unwrap();
        for frame in second * 48..(second + 1) * 48 {
            muxer
                .push(&unit(1, frame * 1_000, true, &[0x21; 300]))
                .unwrap();
        }
    }
    // And faster all of a sudden.
    for number in 0..10 {
        muxer
            .push(&unit(0, 4 * 90_000 + number * 3_600, true, IDR))
            .unwrap();
    }
    let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
    let (mut clock, mut due) = (0, [0; 2]);
    for packet in packets(&chunks) {
        clock = packet.adaptation.clock.map_or(clock, |clock| clock / 300);
        let Some(place) = (packet.pid as usize).checked_sub(0x100) else {
            continue;
        };
        let Some(payload) = packet.payload.filter(|_| place < 2) else {
            continue;
        };
        if packet.unit_start {
            let (header, _) = Header::parse(payload).unwrap().unwrap();
            due[place] = header.pts.unwrap();
        }
        assert!(clock <= due[place], "{place}: {clock} {}", due[place]);
    }
}

#[test]
fn tables_that_have_changed_stand_in_front_of_all_that_they_describe() {
    let [video, audio] = tracks();
    let marker = data(2, Data::Scte35);
    let (mut muxer, mut demuxer) = (Muxer::default(), Demuxer::default());
    muxer.set_tracks(std::slice::from_ref(&video)).unwrap();
    muxer.push(&unit(0, 0, true, IDR)).unwrap();
    muxer.push(&unit(0, 3_600, false, IDR)).unwrap();
    // Neither brings the clock, and no picture comes before them.
    muxer.set_tracks(&[video, audio, marker]).unwrap();
    let section = AccessUnit {
        payload: splice::insert(45_000).into(),
        ..unit(2, 3_700, true, &[])
    };
    muxer.push(&section).unwrap();
    muxer.push(&unit(1, 2_000, true, &[0x21; 300])).unwrap();
    muxer.flush();
    std::iter::from_fn(|| muxer.pull()).for_each(|chunk| demuxer.push(&chunk.data));
    demuxer.flush();
    let mut found = Vec::new();
    for event in std::iter::from_fn(|| demuxer.pull()) {
        match event {
            Event::Unit(unit) => found.push(unit.track.0),
            Event::Fault(fault) => panic!("{fault}"),
            Event::Program(_) | Event::Track(_) => {}
        }
    }
    found.sort_unstable();
    assert_eq!(found, [0, 0, 1, 2]);
}

#[test]
fn a_clock_that_is_there_already_is_no_chunk() {
    let mut muxer = muxer();
    // Clocks stand ahead of the third, which comes at once.
    for time in [0, 18_000, 18_010] {
        muxer.push(&unit(0, time, true, IDR)).unwrap();
    }
    for frame in 11..14 {
        muxer
            .push(&unit(1, frame * 1_024, true, &[0x21; 300]))
            .unwrap();
    }
    let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
    assert!(chunks.len() > 2 && chunks.iter().all(|chunk| !chunk.data.is_empty()));
}

#[test]
fn another_clock_is_noticed_while_the_first_sound_waits() {
    let mut muxer = Muxer::default();
    muxer.set_tracks(&tracks()[1..]).unwrap();
    for time in [48_000 * 60, 48_000, 48_000 + 5 * 1_024] {
        muxer.push(&unit(1, time, true, &[0x21; 300])).unwrap();
    }
    muxer.flush();
    let chunks: Vec<Chunk> = std::iter::from_fn(|| muxer.pull()).collect();
    let packets = packets(&chunks);
    let mut places = packets.iter();
    let restart = places.position(|packet| packet.adaptation.discontinuity);
    let sound = packets.iter().enumerate();
    let sound = sound.filter(|(_, packet)| packet.pid == 0x100 && packet.unit_start);
    let sound: Vec<usize> = sound.map(|(place, _)| place).collect();
    // The second is the first of the other clock.
    assert_eq!((sound.len(), restart), (3, Some(sound[1])));
}
