//! What a player proves itself with in the query of the playlist that it was given, passed on to what the playlist
//! names: players ask for that as it stands there.

/// The parameters that are passed on; others belong to the one request.
const PASSED_ON: [&str; 5] = ["user", "pass", "token", "subscriberId", "subscriberCode"];

/// What in a query is passed on, joined by `&`; empty where there is nothing.
pub(super) fn passed_on(query: Option<&str>) -> String {
    let passed = query.unwrap_or_default().split('&').filter(|parameter| {
        let (name, _) = parameter.split_once('=').unwrap_or_default();
        PASSED_ON.contains(&name)
    });
    let passed: Vec<&str> = passed.collect();
    // It comes to stand between quotes.
    passed.join("&").replace('"', "%22")
}

/// The playlist with that behind each of its addresses.
pub(super) fn pass_on(playlist: &str, query: &str) -> String {
    let mut passing = String::with_capacity(playlist.len() * 2);
    for line in playlist.lines() {
        let attribute = line.split_once("URI=\"").and_then(|(before, rest)| {
            let (address, after) = rest.split_once('"')?;
            Some((before, address, after))
        });
        match attribute {
            Some((before, address, after)) if line.starts_with('#') => {
                passing.extend([before, "URI=\"", address, mark(address), query, "\"", after]);
            }
            _ if line.is_empty() || line.starts_with('#') => passing.push_str(line),
            _ => passing.extend([line, mark(line), query]),
        }
        passing.push('\n');
    }
    passing
}

/// What stands between an address and a further parameter.
fn mark(address: &str) -> &'static str {
    if address.contains('?') { "&" } else { "?" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_tokens_are_passed_on_and_nothing_else() {
        let cases = [
            (None, ""),
            (Some(""), ""),
            (Some("session=1&_HLS_msn=7&users=x&user"), ""),
            (
                Some("user=joe&_HLS_part=1&pass=a%26b"),
                "user=joe&pass=a%26b",
            ),
            (Some("token=x\"y"), "token=x%22y"),
        ];
        for (query, expected) in cases {
            assert_eq!(passed_on(query), expected, "{query:?}");
        }
    }

    #[test]
    fn every_address_has_it() {
        let playlist = "#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,URI=\"cam/audio.m3u8?session=1\",NAME=\"a\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1\ncam/video.m3u8?session=1\n\
            #EXT-X-MAP:URI=\"video_1.mp4\"\n#EXTINF:2,\nvideo_1.m4s\n\
            #EXT-X-PART:DURATION=0.5,URI=\"video_2.0.m4s\",INDEPENDENT=YES\n";
        let expected = "#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,URI=\"cam/audio.m3u8?session=1&user=joe\",NAME=\"a\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1\ncam/video.m3u8?session=1&user=joe\n\
            #EXT-X-MAP:URI=\"video_1.mp4?user=joe\"\n#EXTINF:2,\nvideo_1.m4s?user=joe\n\
            #EXT-X-PART:DURATION=0.5,URI=\"video_2.0.m4s?user=joe\",INDEPENDENT=YES\n";
        assert_eq!(pass_on(playlist, "user=joe"), expected);
    }
}
