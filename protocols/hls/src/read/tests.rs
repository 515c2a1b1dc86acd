//! Playlists as others write them, well and badly.

use super::*;
use std::time::Duration;

fn media(text: &str) -> Media {
    match parse(text, &Variables::default(), "") {
        Ok(Playlist::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn segments_have_what_stands_before_them() {
    let text = "#EXTM3U\r\n#EXT-X-VERSION:7\r\n#EXT-X-TARGETDURATION:6\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n\
        #EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-SERVER-CONTROL:HOLD-BACK=18.5\n#EXT-X-START:TIME-OFFSET=-12.5\n\
        #EXT-X-MAP:URI=\"init,1.mp4\",BYTERANGE=\"720@10\"\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"key?a=b\",IV=0x000000000000000000000000000000FF\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-11-27T08:00:00.5Z\n#EXTINF:5.96,a title, with a comma\n#EXT-X-BYTERANGE:100@50\na.mp4\n\
        #EXTINF:6\n#EXT-X-BYTERANGE:200\na.mp4\n\
        \n# a comment\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-DISCONTINUITY\n#EXT-X-GAP\n#EXTINF:4.5,\nb.mp4\n\
        stray.mp4\n#EXT-X-UNKNOWN:x\n#EXT-X-ENDLIST\n";
    let media = media(text);
    assert_eq!(media.target_duration, Duration::from_secs(6));
    assert_eq!(
        (
            media.media_sequence,
            media.discontinuity_sequence,
            media.next_sequence()
        ),
        (7, 3, 10)
    );
    assert_eq!(media.hold_back, Some(Duration::from_millis(18_500)));
    assert_eq!(media.start, Some(-12.5));
    assert!(media.ended);
    let [first, second, third] = &media.segments[..] else {
        panic!("{media:?}");
    };
    let range = |offset, length| Some(ByteRange { offset, length });
    assert_eq!((first.uri.as_str(), first.range), ("a.mp4", range(50, 100)));
    assert_eq!(first.duration, Duration::from_millis(5_960));
    assert!(first.program_date_time.is_some() && second.program_date_time.is_none());
    assert_eq!(second.range, range(150, 200));
    let key = second.key.as_ref().unwrap();
    assert_eq!((key.uri.as_str(), key.iv.unwrap()[15]), ("key?a=b", 255));
    let map = second.map.as_ref().unwrap();
    assert_eq!(
        (map.uri.as_str(), map.range),
        ("init,1.mp4", range(10, 720))
    );
    assert!(map.key.is_none());
    assert!(third.key.is_none() && third.discontinuity && third.gap && third.range.is_none());
    assert!(!second.discontinuity && !second.gap);
    assert_eq!(media.segment(9), Some(third));
    assert_eq!((media.segment(6), media.segment(10)), (None, None));
}

#[test]
fn parts_and_hints_are_read() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.33334\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,PART-HOLD-BACK=1.0,HOLD-BACK=12\n\
        #EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:4\nfive\n\
        #EXT-X-PART:DURATION=2,URI=\"six\",BYTERANGE=\"100@0\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=2,URI=\"six\",BYTERANGE=\"50\"\n#EXT-X-PART:DURATION=2\n#EXTINF:4\nsix\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-27T08:00:00Z\n\
        #EXT-X-PART:DURATION=1,URI=\"seven\",GAP=YES\n#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"j\"\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"next\"\n#EXT-X-RENDITION-REPORT:URI=\"a\"\n";
    let media = media(text);
    assert_eq!(media.part_target, Some(Duration::from_micros(333_340)));
    assert_eq!(media.part_hold_back, Some(Duration::from_secs(1)));
    assert_eq!(media.skip_until, Some(Duration::from_secs(24)));
    assert!(media.can_block);
    assert_eq!((media.segments.len(), media.next_sequence()), (2, 7));
    assert!(media.segments[0].parts.is_empty());
    let ranges: Vec<_> = media.segments[1]
        .parts
        .iter()
        .map(|part| part.range)
        .collect();
    let range = |offset, length| Some(ByteRange { offset, length });
    assert_eq!(ranges, [range(0, 100), range(100, 50)]);
    assert!(media.segments[1].parts[0].independent && !media.segments[1].parts[1].independent);
    let open = &media.open;
    assert!(open.parts[0].gap && open.uri.is_empty());
    assert!(open.map.is_some() && open.key.is_some() && open.program_date_time.is_some());
    let hint = Hint {
        uri: "next".into(),
        range: None,
    };
    assert_eq!(media.hint, Some(hint));
    for (attributes, expected) in [
        ("BYTERANGE-START=9,BYTERANGE-LENGTH=5", Some(range(9, 5))),
        ("BYTERANGE-LENGTH=5", Some(range(0, 5))),
        // Where it ends nobody knows.
        ("BYTERANGE-START=9", None),
    ] {
        let text = format!("#EXTM3U\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"n\",{attributes}\n");
        let hint = self::media(&text).hint.map(|hint| hint.range);
        assert_eq!(hint, expected, "{attributes}");
    }
    let parts = "#EXT-X-PART:DURATION=1,URI=\"p\"\n".repeat(MAX_PARTS + 1);
    let refused = parse(&format!("#EXTM3U\n{parts}"), &Variables::default(), "");
    assert!(matches!(refused, Err(Error::TooMany { what: "parts", .. })));
}

#[test]
fn delta_updates_are_completed_by_the_playlist_before() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:";
    let whole = || {
        media(&format!(
            "{head}3\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n\
             #EXTINF:1\n3\n#EXTINF:1\n4\n#EXTINF:1\n5\n#EXTINF:1\n6\n"
        ))
    };
    let mut before = whole();
    let mut delta = media(&format!(
        "{head}4\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXTINF:1\n6\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:1\n7\n#EXTINF:1\n8\n"
    ));
    assert_eq!((delta.segment(5), delta.next_sequence()), (None, 9));
    assert_eq!(delta.segment(6).unwrap().uri, "6");
    assert!(delta.complete(&mut before));
    let uris: Vec<_> = delta.segments.iter().map(|segment| &*segment.uri).collect();
    assert_eq!(uris, ["4", "5", "6", "7", "8"]);
    assert_eq!((delta.skipped, delta.next_sequence()), (0, 9));
    // What held for what is left out holds on, until it is told otherwise.
    let keys: Vec<_> = delta
        .segments
        .iter()
        .map(|segment| segment.key.is_some())
        .collect();
    assert_eq!(keys, [true, true, true, false, false]);
    assert!(delta.segments.iter().all(|segment| segment.map.is_some()));
    assert!(delta.open.map.is_some() && delta.open.key.is_none());
    // What is not known cannot be left out.
    for (first, skipped) in [(2, 1), (4, 4), (9, 1), (4, u64::MAX)] {
        let mut before = whole();
        let text = format!("{head}{first}\n#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n#EXTINF:1\nx\n");
        let mut delta = media(&text);
        assert!(!delta.complete(&mut before), "{first} {skipped}");
        assert_eq!((delta.segments.len(), before), (1, whole()));
    }
}

#[test]
fn variants_and_renditions_are_read() {
    let text = "\u{feff}#EXTM3U\n#EXT-X-DEFINE:NAME=\"p\",VALUE=\"x\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Deutsch\",LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT=YES,URI=\"de.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"s\",URI=\"s.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,AUDIO=\"a\"\n\
        # in between\n{$p}/low.m3u8\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=x\nhigh.m3u8\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\"\n";
    let Ok(Playlist::Multivariant(found)) = parse(text, &Variables::default(), "") else {
        panic!();
    };
    let [low, high] = &found.variants[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (low.uri.as_str(), low.bandwidth, low.resolution),
        ("x/low.m3u8", 1_280_000, Some((640, 360)))
    );
    assert_eq!(low.codecs.as_deref(), Some("avc1.4d401e,mp4a.40.2"));
    assert_eq!(
        (high.uri.as_str(), high.bandwidth, &high.audio),
        ("high.m3u8", 0, &None)
    );
    assert_eq!(found.audio.len(), 1);
    assert_eq!(found.audio[0].uri.as_deref(), Some("de.m3u8"));
}

#[test]
fn what_is_wrong_is_read_as_well_as_it_can_be() {
    let lying = media(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n#EXTINF:abc,\na\n#EXTINF:7.5\nb\n#EXT-X-BYTERANGE:0@x\n#EXTINF:1\nc",
    );
    assert_eq!(lying.media_sequence, 0);
    assert_eq!(lying.target_duration, Duration::from_millis(7_500));
    assert_eq!(lying.segments.len(), 3);
    assert_eq!(lying.segments[2].range, None);
    let empty = media("#EXTM3U\n#EXT-X-TARGETDURATION:0\n");
    assert_eq!(empty.target_duration, Duration::from_secs(1));
    let high =
        media("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:1\na\n#EXTINF:1\nb\n");
    assert_eq!(high.next_sequence(), u64::MAX / 2 + 2);
    // Keys that others wrap stand beside the one that is the key itself, in any order.
    let own = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n";
    let other = "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"x\",URI=\"y\"\n";
    for keys in [format!("{own}{other}"), format!("{other}{other}{own}")] {
        let text = format!("#EXTM3U\n{keys}#EXT-X-PART:URI=\"p\"\n#EXTINF:1\na\n#EXTINF:1\nb\n");
        let beside = media(&text);
        let uris = beside
            .segments
            .iter()
            .map(|segment| &*segment.key.as_ref().unwrap().uri);
        assert_eq!(uris.collect::<Vec<_>>(), ["k", "k"], "{keys}");
    }
    // Where nothing is encrypted any longer, nothing has to be opened.
    let clear = media(&format!(
        "#EXTM3U\n{other}#EXT-X-KEY:METHOD=NONE\n#EXTINF:1\na\n"
    ));
    assert_eq!(clear.segments[0].key, None);
}

#[test]
fn what_is_no_playlist_is_refused() {
    let cases = [
        ("", Error::NoPlaylist),
        ("<html>", Error::NoPlaylist),
        ("#EXTM3U\n", Error::Empty),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", Error::Empty),
        ("#EXTM3U\nsong.mp3\n", Error::Empty),
        (
            "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"k\"\n",
            Error::Encryption { line: 2 },
        ),
        (
            "#EXTM3U\n\n#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"x\",URI=\"k\"\n#EXTINF:1\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n",
            Error::Encryption { line: 3 },
        ),
        (
            "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"x\",URI=\"k\"\n#EXT-X-PART:URI=\"p\"\n",
            Error::Encryption { line: 2 },
        ),
    ];
    for (text, error) in cases {
        assert_eq!(parse(text, &Variables::default(), ""), Err(error), "{text}");
    }
    let many = format!("#EXTM3U\n{}", "#EXTINF:1\na\n".repeat(MAX_SEGMENTS + 1));
    let refused = parse(&many, &Variables::default(), "");
    assert!(
        matches!(
            refused,
            Err(Error::TooMany {
                what: "segments",
                ..
            })
        ),
        "{refused:?}"
    );
    let many = format!(
        "#EXTM3U\n{}",
        "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(MAX_VARIANTS + 1)
    );
    let refused = parse(&many, &Variables::default(), "");
    assert!(
        matches!(
            refused,
            Err(Error::TooMany {
                what: "variants",
                ..
            })
        ),
        "{refused:?}"
    );
}
