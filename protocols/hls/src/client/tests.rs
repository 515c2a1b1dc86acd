//! A client and a server in memory.

use super::*;
use std::collections::HashMap;
use std::fmt::Write as _;

/// A server in memory: what is there, and what was asked for.
#[derive(Default)]
struct Files {
    there: HashMap<String, Vec<u8>>,
    asked: Vec<String>,
    retry_after: Option<Duration>,
}

impl Files {
    fn put(&mut self, path: &str, body: impl Into<Vec<u8>>) {
        self.there.insert(path.into(), body.into());
    }

    fn answer(&mut self, fetch: &Fetch) -> Result<Fetched, Failure> {
        let path = fetch.url.path().trim_start_matches('/').to_owned();
        let query = fetch.url.query().map(|query| format!("?{query}"));
        self.asked.push(path.clone() + &query.unwrap_or_default());
        let missing = || Failure {
            reason: "the server answers 404".to_owned(),
            retry_after: self.retry_after,
        };
        let body = self.there.get(&path).ok_or_else(missing)?;
        let body = match fetch.range {
            Some(range) => {
                let start = usize::try_from(range.offset).unwrap();
                body[start..start + usize::try_from(range.length).unwrap()].to_vec()
            }
            None => body.clone(),
        };
        Ok(Fetched {
            url: fetch.url.clone(),
            body: body.into(),
        })
    }
}

/// A client, its server and its clock.
struct Play {
    client: Client,
    files: Files,
    now: Instant,
    pieces: Vec<Piece>,
    faults: Vec<String>,
    has_ended: bool,
}

impl Play {
    fn of(files: Files) -> Self {
        let url = Url::parse("http://host/main.m3u8").unwrap();
        Self {
            client: Client::new(url, Choice::default()),
            files,
            now: Instant::now(),
            pieces: Vec::new(),
            faults: Vec::new(),
            has_ended: false,
        }
    }

    /// Does what is to be done at once; when the next is due.
    fn run(&mut self) -> Result<Option<Instant>, Error> {
        loop {
            match self.client.poll_output() {
                Output::Fetch(fetch) => {
                    let answer = self.files.answer(&fetch);
                    self.client.handle_fetched(self.now, fetch.id, answer)?;
                }
                Output::Piece(piece) => self.pieces.push(piece),
                Output::Fault(fault) => self.faults.push(fault),
                Output::End => self.has_ended = true,
                Output::Timeout(timeout) => return Ok(timeout),
            }
        }
    }

    /// Lets time go on to what is due next. How long that was.
    fn advance(&mut self) -> Duration {
        let due = self.run().unwrap().unwrap();
        let waited = due.saturating_duration_since(self.now);
        self.now = due;
        self.client.handle_timeout(due);
        waited
    }

    fn sequences(&self) -> Vec<u64> {
        self.pieces.iter().map(|piece| piece.sequence).collect()
    }
}

fn playlist(first: u64, count: u64, more: &str) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    for sequence in first..first + count {
        write!(text, "#EXTINF:4,\n{sequence}.ts\n").unwrap();
    }
    text + more
}

fn with_segments(range: std::ops::Range<u64>) -> Files {
    let mut files = Files::default();
    for sequence in range {
        files.put(&format!("{sequence}.ts"), format!("segment {sequence}"));
    }
    files
}

#[test]
fn what_is_over_is_given_whole_and_ends() {
    let mut files = with_segments(0..5);
    files.put("main.m3u8", playlist(0, 5, "#EXT-X-ENDLIST\n"));
    let mut play = Play::of(files);
    assert_eq!(play.run(), Ok(None));
    assert_eq!(play.sequences(), [0, 1, 2, 3, 4]);
    assert_eq!(&play.pieces[3].bytes[..], b"segment 3");
    assert!(play.has_ended);
    let goes_on = |piece: &Piece| !piece.lost && !piece.discontinuity;
    assert!(play.pieces.iter().all(goes_on));
}

#[test]
fn what_is_live_is_joined_three_targets_before_its_end_and_asked_for_as_often_as_it_should() {
    let mut files = with_segments(10..30);
    files.put("main.m3u8", playlist(10, 6, ""));
    let mut play = Play::of(files);
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15]);
    // After news one target duration, without any half of one.
    assert_eq!(play.advance(), Duration::from_secs(4));
    assert_eq!(play.advance(), Duration::from_secs(2));
    play.files.put("main.m3u8", playlist(11, 6, ""));
    assert_eq!(play.advance(), Duration::from_secs(4));
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15, 16]);
    // Nothing is fetched while it is not wanted; the playlist still is.
    play.client.set_wanted(play.now, 0, false);
    play.files.put("main.m3u8", playlist(13, 6, ""));
    play.advance();
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15, 16]);
    play.client.set_wanted(play.now, 0, true);
    play.files
        .put("main.m3u8", playlist(13, 6, "#EXT-X-ENDLIST"));
    play.advance();
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15, 16, 17, 18]);
    assert!(play.has_ended && play.faults.is_empty());
}

#[test]
fn what_was_missed_is_a_hole() {
    let mut files = with_segments(10..90);
    files.put("main.m3u8", playlist(10, 6, ""));
    let mut play = Play::of(files);
    play.run().unwrap();
    play.files.put("main.m3u8", playlist(50, 6, ""));
    play.advance();
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15, 53, 54, 55]);
    let lost: Vec<bool> = play.pieces.iter().map(|piece| piece.lost).collect();
    assert_eq!(lost, [false, false, false, true, false, false]);
    assert!(play.pieces.iter().all(|piece| !piece.discontinuity));
    assert!(play.faults[0].contains("34 segments"), "{:?}", play.faults);
}

#[test]
fn a_playlist_that_goes_backwards_is_left_alone_until_it_has_begun_anew() {
    let mut files = with_segments(0..30);
    files.put("main.m3u8", playlist(10, 6, ""));
    let mut play = Play::of(files);
    play.run().unwrap();
    // One server behind the address is not as far as another.
    play.files.put("main.m3u8", playlist(9, 6, ""));
    play.advance();
    play.files.put("main.m3u8", playlist(11, 6, ""));
    play.advance();
    play.run().unwrap();
    assert_eq!(play.sequences(), [13, 14, 15, 16]);
    play.files.put("main.m3u8", playlist(0, 4, ""));
    for _ in 0..4 {
        play.advance();
    }
    play.run().unwrap();
    assert_eq!(play.sequences()[4..], [1, 2, 3]);
    assert!(play.pieces[4].discontinuity);
    assert_eq!(play.faults, ["the playlist began anew"]);
}

#[test]
fn what_cannot_be_fetched_is_tried_again_and_passed_over() {
    let mut files = with_segments(0..8);
    files.there.remove("2.ts");
    files.put(
        "main.m3u8",
        playlist(
            0,
            5,
            "#EXT-X-GAP\n#EXTINF:4,\ngap.ts\n#EXTINF:4,\n6.ts\n#EXT-X-ENDLIST",
        ),
    );
    let mut play = Play::of(files);
    while !play.has_ended {
        if play.run().unwrap().is_some() {
            play.advance();
        }
    }
    assert_eq!(play.sequences(), [0, 1, 3, 4, 6]);
    let lost: Vec<bool> = play.pieces.iter().map(|piece| piece.lost).collect();
    assert_eq!(lost, [false, false, true, false, true]);
    assert!(play.pieces.iter().all(|piece| !piece.discontinuity));
    let attempts = play
        .files
        .asked
        .iter()
        .filter(|path| *path == "2.ts")
        .count();
    assert_eq!(attempts, 3);
    assert!(!play.files.asked.contains(&"gap.ts".to_owned()));
}

#[test]
fn what_is_missing_in_a_row_is_passed_over_until_it_is_too_much() {
    for (missing, expected) in [(4, vec![0, 5, 6, 7]), (5, vec![0])] {
        let mut files = with_segments(0..8);
        files
            .there
            .retain(|path, _| !(1..=missing).any(|sequence| *path == format!("{sequence}.ts")));
        files.put("main.m3u8", playlist(0, 8, "#EXT-X-ENDLIST"));
        let mut play = Play::of(files);
        let ended = loop {
            match play.run() {
                Ok(Some(due)) => {
                    play.now = due;
                    play.client.handle_timeout(due);
                }
                other => break other,
            }
        };
        let is_over = ended == Ok(None);
        assert_eq!((play.sequences(), is_over), (expected, missing < 5));
        let tried = play.files.asked.iter().filter(|path| *path != "main.m3u8");
        let there = play.pieces.len();
        assert_eq!(tried.count(), there + 3 * missing);
    }
}

#[test]
fn a_discontinuity_in_front_of_what_is_lost_is_one_of_what_follows() {
    for lost in ["#EXT-X-GAP\n", ""] {
        let more = format!(
            "#EXT-X-DISCONTINUITY\n{lost}#EXTINF:4,\ngone.ts\n#EXTINF:4,\n3.ts\n#EXTINF:4,\n4.ts\n#EXT-X-ENDLIST"
        );
        let mut files = with_segments(0..5);
        files.put("main.m3u8", playlist(0, 2, &more));
        let mut play = Play::of(files);
        while !play.has_ended {
            if play.run().unwrap().is_some() {
                play.advance();
            }
        }
        let found: Vec<_> = play
            .pieces
            .iter()
            .map(|piece| (piece.sequence, piece.lost, piece.discontinuity))
            .collect();
        let goes_on = |sequence| (sequence, false, false);
        let expected = [goes_on(0), goes_on(1), (3, true, true), goes_on(4)];
        assert_eq!(found, expected, "{lost}");
    }
}

#[test]
fn it_gives_up_in_the_end() {
    for files in [Files::default(), with_segments(0..0)] {
        let mut play = Play::of(files);
        play.files.put("x", "");
        let refused = loop {
            match play.run() {
                Ok(due) => {
                    play.now = due.unwrap();
                    play.client.handle_timeout(play.now);
                }
                Err(error) => break error,
            }
        };
        assert_eq!(refused, Error::Fetch("the server answers 404".into()));
        assert_eq!(play.files.asked.len(), MAX_FAILURES as usize);
    }
    // A server that does not answer is not waited for as often: there may be another.
    let mut play = Play::of(Files::default());
    let begun = play.now;
    let mut asked = 0;
    let refused = loop {
        match play.client.poll_output() {
            Output::Fetch(fetch) => {
                asked += 1;
                play.now += fetch.within;
                let late = Failure::from("the server takes too long".to_owned());
                if let Err(error) = play.client.handle_fetched(play.now, fetch.id, Err(late)) {
                    break error;
                }
            }
            Output::Timeout(Some(due)) => {
                play.now = due;
                play.client.handle_timeout(due);
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, Error::Fetch("the server takes too long".into()));
    assert_eq!((asked, play.now - begun), (2, Duration::from_secs(21)));
    let mut files = Files::default();
    files.put("main.m3u8", playlist(0, 20, "#EXT-X-ENDLIST"));
    let mut play = Play::of(files);
    let refused = loop {
        match play.run() {
            Ok(_) => drop(play.advance()),
            Err(error) => break error,
        }
        if play.files.asked.len() > 50 {
            panic!("it goes on for ever");
        }
    };
    assert!(matches!(refused, Error::Fetch(_)));
}

#[test]
fn keys_and_sections_are_fetched_once_and_used() {
    use aes::cipher::{BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
    let key: [u8; 16] = core::array::from_fn(|at| at as u8);
    let encrypt = |iv: [u8; 16], plain: &[u8]| {
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&key.into(), &iv.into());
        cipher.encrypt_padded_vec_mut::<Pkcs7>(plain)
    };
    let mut files = Files::default();
    files.put("k.key", key);
    files.put("all.mp4", b"0123456789init".to_vec());
    files.put("5.ts", encrypt(5u128.to_be_bytes(), b"five"));
    files.put("6.ts", encrypt([1; 16], b"six"));
    files.put("7.ts", "seven");
    let iv = "01".repeat(16);
    files.put(
        "main.m3u8",
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"4@10\"\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k.key\"\n#EXTINF:4\n5.ts\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"k.key\",IV=0x{iv}\n#EXTINF:4\n6.ts\n\
             #EXT-X-KEY:METHOD=NONE\n#EXTINF:4\n7.ts\n#EXT-X-ENDLIST\n"
        ),
    );
    let mut play = Play::of(files);
    play.run().unwrap();
    let bodies: Vec<&[u8]> = play.pieces.iter().map(|piece| &piece.bytes[..]).collect();
    assert_eq!(bodies, [&b"five"[..], b"six", b"seven"]);
    assert!(
        play.pieces
            .iter()
            .all(|piece| piece.map.as_deref() == Some(b"init"))
    );
    assert_eq!(
        play.files.asked,
        ["main.m3u8", "all.mp4", "k.key", "5.ts", "6.ts", "7.ts"]
    );
    assert!(play.has_ended);
}

#[test]
fn a_variant_and_its_sound_are_chosen_by_rule() {
    let text = "#EXTM3U\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"en.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"de\",LANGUAGE=\"de\",URI=\"de.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\nsound.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,AUDIO=\"a\"\nlow.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,AUDIO=\"a\"\nhigh.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,AUDIO=\"a\"\ncopy.m3u8\n";
    let Ok(Playlist::Multivariant(playlist)) = read::parse(text, &read::Variables::default(), "")
    else {
        panic!();
    };
    let choice = |height, bandwidth, language: Option<&str>| Choice {
        height,
        bandwidth,
        language: language.map(str::to_owned),
    };
    let cases = [
        (choice(None, None, None), ["high.m3u8", "en.m3u8"]),
        (choice(Some(480), None, Some("de")), ["low.m3u8", "de.m3u8"]),
        (
            choice(None, Some(1_000_000), Some("fr")),
            ["low.m3u8", "en.m3u8"],
        ),
        (choice(Some(100), None, None), ["low.m3u8", "en.m3u8"]),
    ];
    for (choice, expected) in cases {
        assert_eq!(choice.of(&playlist), expected, "{choice:?}");
    }
    let mut files = with_segments(0..3);
    files.put("main.m3u8", text);
    files.put("high.m3u8", self::playlist(0, 2, "#EXT-X-ENDLIST"));
    files.put("en.m3u8", self::playlist(0, 3, "#EXT-X-ENDLIST"));
    let mut play = Play::of(files);
    play.run().unwrap();
    assert_eq!(play.client.renditions(), 2);
    let of = |rendition| {
        play.pieces
            .iter()
            .filter(move |piece| piece.rendition == rendition)
            .count()
    };
    assert_eq!((of(0), of(1)), (2, 3));
    assert!(play.has_ended);
}

#[test]
fn references_lead_to_http_alone() {
    let mut files = Files::default();
    files.put(
        "main.m3u8",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n",
    );
    assert_eq!(Play::of(files).run(), Err(Error::Reference));
    let mut files = Files::default();
    files.put(
        "main.m3u8",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1\nfile:///etc/passwd\n#EXTINF:1\nfile:///etc/passwd\n\
         #EXTINF:1\nthere\n#EXT-X-ENDLIST\n",
    );
    files.put("there", "there");
    let mut play = Play::of(files);
    play.run().unwrap();
    assert!(play.has_ended && play.sequences() == [2] && play.pieces[0].lost);
    assert_eq!(play.faults, [Error::Reference.to_string()]);
}

#[test]
fn a_login_goes_to_its_own_server_alone() {
    let base = Url::parse("http://joe:p%40ss@nvr:8080/live/main.m3u8").unwrap();
    for (reference, expected) in [
        ("1.ts", "http://joe:p%40ss@nvr:8080/live/1.ts"),
        ("http://nvr:8080/1.ts", "http://joe:p%40ss@nvr:8080/1.ts"),
        ("//nvr:8080/1.ts", "http://joe:p%40ss@nvr:8080/1.ts"),
        ("http://ann@nvr:8080/1.ts", "http://ann@nvr:8080/1.ts"),
        ("http://nvr/1.ts", "http://nvr/1.ts"),
        ("https://nvr:8080/1.ts", "https://nvr:8080/1.ts"),
        ("http://other:8080/1.ts", "http://other:8080/1.ts"),
    ] {
        let url = join(&base, reference).unwrap();
        assert_eq!(url.as_str(), expected, "{reference}");
    }
}

/// A playlist of low latency whose segments of 4 s have four parts; of the last so many are there, and the next is hinted
/// at.
fn parts(first: u64, skipped: u64, last: u64, count: usize) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3,CAN-SKIP-UNTIL=24\n\
         #EXT-X-MEDIA-SEQUENCE:{first}\n"
    );
    if skipped > 0 {
        writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}").unwrap();
    } else {
        text += "#EXT-X-MAP:URI=\"init\"\n";
    }
    for sequence in first + skipped..=last {
        let there = if sequence == last { count } else { 4 };
        for part in 0..there {
            let independent = if part == 0 { ",INDEPENDENT=YES" } else { "" };
            let uri = format!("{sequence}.{part}.ts");
            writeln!(text, "#EXT-X-PART:DURATION=1,URI=\"{uri}\"{independent}").unwrap();
        }
        if sequence < last {
            write!(text, "#EXTINF:4,\n{sequence}.ts\n").unwrap();
        } else {
            let uri = format!("{last}.{count}.ts");
            writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{uri}\"").unwrap();
        }
    }
    text
}

#[test]
fn parts_are_fetched_as_they_are_made() {
    let mut files = with_segments(10..15);
    files.put("init", "init");
    for part in ["13.0", "13.1", "13.2", "13.3", "14.0"] {
        files.put(&format!("{part}.ts"), part);
    }
    files.put("main.m3u8", parts(10, 0, 13, 2));
    let mut play = Play::of(files);
    play.run().unwrap();
    // Three seconds before the end, which is at 14 s, segment 12 is the last to begin with.
    let asked = [
        "main.m3u8",
        "init",
        "12.ts",
        "13.0.ts",
        "13.1.ts",
        "13.2.ts",
    ];
    assert_eq!(play.files.asked, asked);
    let given = |play: &Play| {
        let given = play.pieces.iter();
        given
            .map(|piece| (piece.sequence, piece.part))
            .collect::<Vec<_>>()
    };
    let mut expected = vec![(12, None), (13, Some(0)), (13, Some(1))];
    assert_eq!(given(&play), expected);

    // The part that was hinted at is there when the playlist has it, and is not asked for twice.
    play.files.asked.clear();
    play.files.put("main.m3u8", parts(10, 2, 13, 3));
    assert_eq!(play.advance(), Duration::from_millis(500));
    play.run().unwrap();
    expected.push((13, Some(2)));
    assert_eq!(given(&play), expected);
    let asked = ["main.m3u8?_HLS_msn=13&_HLS_part=2&_HLS_skip=YES", "13.3.ts"];
    assert_eq!(play.files.asked, asked);

    // A hint that came to nothing is forgotten.
    play.files.asked.clear();
    play.files.put("main.m3u8", parts(11, 1, 14, 0));
    play.files.there.remove("14.0.ts");
    play.advance();
    play.run().unwrap();
    expected.push((13, Some(3)));
    assert_eq!(play.files.asked[1..], ["14.0.ts"]);
    play.files.put("14.0.ts", "14.0");
    play.files.put("main.m3u8", parts(11, 2, 14, 1));
    play.advance();
    play.run().unwrap();
    expected.push((14, Some(0)));
    assert_eq!(given(&play), expected);
    assert!(
        play.pieces
            .iter()
            .all(|piece| piece.map.is_some() && !piece.lost && !piece.discontinuity)
    );

    // A segment that no longer tells its parts is given from where they ended.
    play.files.put("14.ts", "14.0 and the rest");
    let whole = playlist(11, 4, "#EXT-X-ENDLIST\n");
    play.files.put(
        "main.m3u8",
        whole.replace("#EXTINF", "#EXT-X-MAP:URI=\"init\"\n#EXTINF"),
    );
    play.advance();
    play.run().unwrap();
    assert_eq!(&play.pieces.last().unwrap().bytes[..], b" and the rest");
    assert!(play.has_ended && !play.client.is_recording());
    assert_eq!(play.faults, Vec::<String>::new());
}

#[test]
fn a_server_that_does_not_wait_is_not_asked_more_often_than_it_should() {
    let mut files = with_segments(10..15);
    files.put("init", "init");
    for part in ["13.0", "13.1", "13.2", "13.3"] {
        files.put(&format!("{part}.ts"), part);
    }
    files.put("main.m3u8", parts(10, 0, 13, 1));
    let mut play = Play::of(files);
    play.advance();
    // The same again: half a target duration, as for any playlist without news.
    for _ in 0..3 {
        assert_eq!(play.advance(), Duration::from_secs(2));
    }
    // Without waiting there are no parts to follow.
    let plain = parts(10, 0, 14, 1).replace("CAN-BLOCK-RELOAD=YES,", "");
    play.files.put("main.m3u8", plain);
    assert_eq!(play.advance(), Duration::from_secs(4));
    play.run().unwrap();
    assert_eq!(play.files.asked.last().unwrap(), "main.m3u8");
}

#[test]
fn a_delta_update_that_leaves_out_too_much_is_asked_for_whole() {
    let mut files = with_segments(10..20);
    files.put("init", "init");
    files.put("main.m3u8", parts(10, 0, 13, 0));
    let mut play = Play::of(files);
    play.run().unwrap();
    play.files.put("main.m3u8", parts(12, 4, 18, 0));
    play.advance();
    play.run().unwrap();
    assert_eq!(play.faults, ["the server leaves out more than we know"]);
    play.files.put("main.m3u8", parts(12, 0, 18, 0));
    play.advance();
    play.run().unwrap();
    assert_eq!(
        play.files
            .asked
            .iter()
            .rfind(|path| path.starts_with("main"))
            .unwrap(),
        "main.m3u8"
    );
    assert_eq!(play.sequences()[1..], [13, 14, 15, 16, 17]);
    // One that was never asked for is a failure like any other.
    let mut files = Files::default();
    files.put("main.m3u8", parts(12, 4, 18, 0));
    let mut play = Play::of(files);
    play.run().unwrap();
    assert!(
        play.faults[0].contains("was not asked"),
        "{:?}",
        play.faults
    );
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    for (wish, pause) in [(20, 20), (0, 1), (1_000_000, 60)] {
        let mut files = with_segments(0..3);
        files.retry_after = Some(Duration::from_secs(wish));
        let mut play = Play::of(files);
        assert_eq!(play.advance(), Duration::from_secs(pause));
        play.files
            .put("main.m3u8", playlist(0, 3, "#EXT-X-ENDLIST"));
        play.files.there.remove("1.ts");
        play.run().unwrap();
        // And so for a segment; half a target duration at least.
        assert_eq!(play.advance(), Duration::from_secs(pause.max(2)));
        play.files.put("1.ts", "segment 1");
        play.run().unwrap();
        assert!(play.has_ended && play.client.is_recording());
        assert_eq!(play.sequences(), [0, 1, 2]);
    }
}

#[test]
fn files_are_played_as_they_are() {
    let of_file = |text: String, there| {
        let mut files: Files = with_segments(there);
        files.put("main.m3u8", text);
        let mut play = Play::of(files);
        play.client = Client::new(Url::parse("file:///main.m3u8").unwrap(), Choice::default());
        play
    };
    // All of it from its beginning, whatever it says of its end and of where to begin.
    let mut play = of_file(playlist(7, 9, "#EXT-X-START:TIME-OFFSET=-8\n"), 0..20);
    assert_eq!(play.run(), Ok(None));
    assert_eq!(play.sequences(), [7, 8, 9, 10, 11, 12, 13, 14, 15]);
    assert!(play.has_ended && play.client.is_recording());
    assert_eq!(play.client.duration(), Some(Duration::from_secs(36)));
    assert_eq!(play.files.asked.len(), 10);
    // What is not there will not come, however much of it there is.
    let mut play = of_file(playlist(0, 20, ""), 18..20);
    assert_eq!(play.run(), Ok(None));
    assert_eq!((play.sequences(), play.faults.len()), (vec![18, 19], 18));
    assert!(play.pieces[0].lost && play.has_ended);
    let mut play = of_file(String::new(), 0..0);
    play.files.there.clear();
    assert!(matches!(play.run(), Err(Error::Fetch(_))));
    // A file leads to files alone.
    let away = "#EXTINF:4,\nhttp://host/0.ts\n#EXTINF:4,\n/1.ts\n";
    let mut play = of_file(playlist(0, 0, away), 0..2);
    assert_eq!(play.run(), Ok(None));
    assert_eq!(play.files.asked, ["main.m3u8", "1.ts"]);
    assert_eq!(play.faults, [Error::Reference.to_string()]);
}
