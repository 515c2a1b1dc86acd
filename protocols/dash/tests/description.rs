//! Whole descriptions, read again by an XML parser.

use dash::{Addressing, Audio, Clock, Content, Description, Live, Period, Segment, Track, Video};
use media::Timebase;
use roxmltree::{Document, Node};
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn video<'a>(addressing: Addressing<'a>) -> Track<'a> {
    Track {
        id: "video",
        content: Content::Video(Video {
            size: Some((1_280, 720)),
            frame_rate: Some((30_000, 1_001)),
            sample_aspect_ratio: Some((4, 3)),
        }),
        codecs: "avc1.64001f",
        bandwidth: 2_500_000,
        language: None,
        timebase: Timebase::VIDEO,
        offset: 180_000,
        init: "video_7.mp4",
        media: "video_$Number$.m4s",
        first_number: Some(7),
        addressing,
        events: &[],
    }
}

fn audio<'a>(addressing: Addressing<'a>) -> Track<'a> {
    Track {
        id: "audio",
        content: Content::Audio(Audio {
            sample_rate: Some(48_000),
            channels: Some(2),
        }),
        codecs: "mp4a.40.2",
        bandwidth: 128_000,
        language: Some("\"en\" & more"),
        timebase: media::codec::opus::TIMEBASE,
        offset: 96_000,
        init: "audio_7.mp4",
        media: "audio_7_$Time$.m4s",
        first_number: None,
        addressing,
        events: &[],
    }
}

fn find<'a>(document: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    let nodes = document.descendants();
    nodes.filter(|node| node.has_tag_name(name)).collect()
}

#[test]
fn messages_in_front_of_fragments_are_told_of() {
    let segments = [Segment {
        start: 180_000,
        duration: 180_000,
    }];
    let track = Track {
        events: &["urn:scte:scte35:2013:bin", "a&b"],
        ..video(Addressing::Timeline(&segments))
    };
    let text = Description {
        live: None,
        duration: Some(SECOND * 2),
        min_buffer: SECOND,
        max_segment: SECOND * 2,
        periods: &[Period {
            id: "1",
            start: Duration::ZERO,
            tracks: &[track],
        }],
    }
    .to_string();
    let document = Document::parse(&text).unwrap();
    let streams = find(&document, "InbandEventStream");
    let schemes = streams
        .iter()
        .map(|stream| stream.attribute("schemeIdUri").unwrap());
    assert!(schemes.eq(["urn:scte:scte35:2013:bin", "a&b"]));
    // The schema has them in front of what all sets have.
    assert!(streams[0].prev_sibling_element().is_none());
}

#[test]
fn a_live_presentation() {
    let seconds = |ticks: u64| {
        [0, 1, 2].map(|place| Segment {
            start: ticks * 2 + place * ticks * 2,
            duration: ticks * 2,
        })
    };
    let (pictures, sound) = (seconds(90_000), seconds(48_000));
    let tracks = [
        video(Addressing::Timeline(&pictures)),
        audio(Addressing::Timeline(&sound)),
    ];
    let start = SystemTime::UNIX_EPOCH + SECOND * 1_700_000_000;
    let description = Description {
        live: Some(Live {
            availability_start: SystemTime::UNIX_EPOCH,
            published: start + SECOND * 6,
            update: Some(SECOND * 2),
            location: Some("cam.mpd?session=1&x"),
            time_shift: SECOND * 14,
            delay: SECOND * 6,
            latency: None,
            clock: Some(Clock::Http("/time?a&b")),
        }),
        duration: None,
        min_buffer: SECOND * 2,
        max_segment: SECOND * 2,
        periods: &[Period {
            id: "1700000000",
            start: SECOND * 1_700_000_000,
            tracks: &tracks,
        }],
    };
    let text = description.to_string();
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!(
        root.tag_name().namespace(),
        Some("urn:mpeg:dash:schema:mpd:2011")
    );
    let expected = [
        ("type", "dynamic"),
        ("availabilityStartTime", "1970-01-01T00:00:00.000Z"),
        ("publishTime", "2023-11-14T22:13:26.000Z"),
        ("minimumUpdatePeriod", "PT2S"),
        ("timeShiftBufferDepth", "PT14S"),
        ("suggestedPresentationDelay", "PT6S"),
        ("minBufferTime", "PT2S"),
    ];
    for (name, value) in expected {
        assert_eq!(root.attribute(name), Some(value), "{name}");
    }
    let location = find(&document, "Location")[0].text();
    assert_eq!(location, Some("cam.mpd?session=1&x"));
    let sets = find(&document, "AdaptationSet");
    assert_eq!(sets.len(), 2);
    assert_eq!(sets[1].attribute("lang"), Some("\"en\" & more"));
    let templates = find(&document, "SegmentTemplate");
    assert_eq!(templates[0].attribute("timescale"), Some("90000"));
    assert_eq!(templates[0].attribute("startNumber"), Some("7"));
    assert_eq!(templates[1].attribute("startNumber"), None);
    assert_eq!(templates[1].attribute("media"), Some("audio_7_$Time$.m4s"));
    let runs = find(&document, "S");
    assert_eq!(runs.len(), 2);
    for (name, value) in [("t", "96000"), ("d", "96000"), ("r", "2")] {
        assert_eq!(runs[1].attribute(name), Some(value));
    }
    let representations = find(&document, "Representation");
    assert_eq!(
        representations[0].attribute("frameRate"),
        Some("30000/1001")
    );
    assert_eq!(representations[0].attribute("sar"), Some("4:3"));
    let clock = find(&document, "UTCTiming");
    assert_eq!(clock[0].attribute("value"), Some("/time?a&b"));
}

#[test]
fn a_recording() {
    let tracks = [video(Addressing::Regular {
        duration: 180_000,
        early: Duration::ZERO,
    })];
    let description = Description {
        live: None,
        duration: Some(Duration::from_millis(12_345)),
        min_buffer: SECOND,
        max_segment: SECOND * 2,
        periods: &[Period {
            id: "0",
            start: Duration::ZERO,
            tracks: &tracks,
        }],
    };
    let text = description.to_string();
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("type"), Some("static"));
    assert_eq!(
        root.attribute("mediaPresentationDuration"),
        Some("PT12.345S")
    );
    let template = find(&document, "SegmentTemplate")[0];
    assert_eq!(template.attribute("duration"), Some("180000"));
    assert_eq!(template.attribute("availabilityTimeOffset"), None);
    assert!(find(&document, "UTCTiming").is_empty());
}

#[test]
fn segments_that_can_be_had_before_they_end() {
    let tracks = [video(Addressing::Regular {
        duration: 180_000,
        early: Duration::from_millis(1_500),
    })];
    let now = SystemTime::UNIX_EPOCH + SECOND;
    let description = Description {
        live: Some(Live {
            availability_start: SystemTime::UNIX_EPOCH,
            published: now,
            update: None,
            location: None,
            time_shift: SECOND * 14,
            delay: SECOND * 2,
            latency: Some(SECOND * 2),
            clock: Some(Clock::Direct("1970-01-01T00:00:01.000Z")),
        }),
        duration: None,
        min_buffer: SECOND,
        max_segment: SECOND * 2,
        periods: &[Period {
            id: "0",
            start: SECOND,
            tracks: &tracks,
        }],
    };
    let text = description.to_string();
    let document = Document::parse(&text).unwrap();
    let template = find(&document, "SegmentTemplate")[0];
    assert_eq!(template.attribute("availabilityTimeOffset"), Some("1.500"));
    assert_eq!(
        template.attribute("availabilityTimeComplete"),
        Some("false")
    );
    assert_eq!(
        find(&document, "Latency")[0].attribute("target"),
        Some("2000")
    );
    let clock = find(&document, "UTCTiming")[0];
    assert_eq!(
        clock.attribute("schemeIdUri"),
        Some("urn:mpeg:dash:utc:direct:2014")
    );
}
