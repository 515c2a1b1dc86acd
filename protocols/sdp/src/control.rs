//! Where a section is asked for: its `a=control`, put together with the URL of the description.
//!
//! RFC 2326 appendix C.1.1 wants relative references resolved as in HTML. Cameras want something else, which is
//! what all clients do: the control is put behind the URL, with a slash between them. It matters where the URL
//! does not end in a slash, or has a query: `rtsp://cam/live?channel=1` and `trackID=1` are
//! `rtsp://cam/live?channel=1/trackID=1`.

/// The URL of a section, or of the whole session, whose control is this. `base` is the URL of the description:
/// `Content-Base`, or what was asked for.
pub fn resolve(base: &str, control: Option<&str>) -> String {
    let control = control.unwrap_or_default();
    if control.is_empty() || control == "*" {
        return base.to_owned();
    }
    if is_absolute(control) {
        return control.to_owned();
    }
    if control.starts_with('?') {
        return format!("{}{control}", base.trim_end_matches('/'));
    }
    let (base, control) = (base.trim_end_matches('/'), control.trim_start_matches('/'));
    format!("{base}/{control}")
}

/// Whether it is a URL of its own.
pub fn is_absolute(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    ["rtsp", "rtsps", "rtspu"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_put_behind_the_url() {
        let cases = [
            ("rtsp://c/s", None, "rtsp://c/s"),
            ("rtsp://c/s/", Some("*"), "rtsp://c/s/"),
            ("rtsp://c/s", Some("track1"), "rtsp://c/s/track1"),
            ("rtsp://c/s/", Some("track1"), "rtsp://c/s/track1"),
            ("rtsp://c/s/", Some("/track1"), "rtsp://c/s/track1"),
            (
                "rtsp://c/s?a=1",
                Some("trackID=1"),
                "rtsp://c/s?a=1/trackID=1",
            ),
            (
                "rtsp://c/s?a=1/",
                Some("trackID=1"),
                "rtsp://c/s?a=1/trackID=1",
            ),
            ("rtsp://c/s", Some("?ctype=video"), "rtsp://c/s?ctype=video"),
            ("rtsp://c/s", Some("RTSP://d/t"), "RTSP://d/t"),
            ("rtsp://c/s", Some("http://d/t"), "rtsp://c/s/http://d/t"),
            ("rtsp://c", Some("streamid=0"), "rtsp://c/streamid=0"),
        ];
        for (base, control, url) in cases {
            assert_eq!(resolve(base, control), url);
        }
    }
}
