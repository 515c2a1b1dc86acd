//! A target's URL, and the two parts in which other APIs have it: a server's URL, and a name or stream key there.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What a URL of a scheme is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A server, and a name below its path; options have EvoStream's names.
    Messages,
    /// A server, and a name below its path; options say how packets travel.
    Sessions,
    /// A server; a name is the stream id in its query.
    StreamId,
    /// A resource; a name is the token that lets in.
    Token,
    /// A place for packets.
    Packets,
}

/// The forms of schemes; all others have packets.
const FORMS: [(&str, Form); 7] = [
    ("rtmp", Form::Messages),
    ("rtmps", Form::Messages),
    ("rtsp", Form::Sessions),
    ("rtsps", Form::Sessions),
    ("srt", Form::StreamId),
    ("whip", Form::Token),
    ("whips", Form::Token),
];

/// What a URL is made of, by its scheme.
pub(super) fn form(url: &str) -> Form {
    let scheme = url.split(':').next().unwrap_or_default();
    let mut forms = FORMS.iter();
    let known = forms.find(|(known, _)| scheme.eq_ignore_ascii_case(known));
    known.map_or(Form::Packets, |(_, form)| *form)
}

/// Whether a URL's server has names below it.
pub(super) fn has_names(url: &str) -> bool {
    matches!(form(url), Form::Messages | Form::Sessions)
}

/// A URL with a name as its stream id, unless it has one.
pub(super) fn with_stream_id(url: &str, name: &str) -> String {
    let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
    if name.is_empty() || place.contains("streamid=") {
        return url.to_owned();
    }
    let mark = if place.contains('?') { '&' } else { '?' };
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let end = if fragment.is_empty() { "" } else { "#" };
    format!("{place}{mark}streamid={name}{end}{fragment}")
}

/// A URL with a token as its option, unless it has one.
pub(super) fn with_token(url: &str, token: &str) -> String {
    let options = url.split_once('#').map(|(_, options)| options);
    let has_token = |options: &str| {
        options
            .split('&')
            .any(|option| option.starts_with("token="))
    };
    if token.is_empty() || options.is_some_and(has_token) {
        return url.to_owned();
    }
    let mark = if options.is_some() { '&' } else { '#' };
    let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
    format!("{url}{mark}token={token}")
}

/// The URL of a name at a server. A query belongs to the application where that is the whole path; else the name stands
/// before it. A fragment stays behind all.
pub(super) fn join(server: &str, name: &str) -> String {
    let (place, fragment) = server.split_once('#').unwrap_or((server, ""));
    let (before, query) = place.split_once('?').unwrap_or((place, ""));
    let path = before.split_once("://").map_or(before, |(_, rest)| rest);
    let is_deep = path.trim_end_matches('/').matches('/').count() > 1;
    let mut url = match query {
        "" => format!("{}/{name}", before.trim_end_matches('/')),
        query if is_deep => format!("{}/{name}?{query}", before.trim_end_matches('/')),
        query => format!("{before}?{query}/{name}"),
    };
    if !fragment.is_empty() {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

/// The server and the name, of a URL without a fragment. There is no name where the server has none.
pub(super) fn split(url: &str) -> (&str, &str) {
    if !has_names(url) {
        return (url, "");
    }
    let query = url.find('?').unwrap_or(url.len());
    let before_query = url.get(..query).unwrap_or(url);
    let authority = before_query.find("://").map_or(0, |at| at + 3);
    let mut slashes = before_query
        .match_indices('/')
        .filter(|(at, _)| *at >= authority);
    let is_deep = slashes.nth(1).is_some();
    let slash = match is_deep {
        true => before_query.rfind('/'),
        // The query belongs to the application.
        false => url
            .get(query..)
            .and_then(|rest| rest.rfind('/'))
            .map(|at| query + at),
    };
    let parts = slash.and_then(|at| url.split_at_checked(at));
    parts.map_or((url, ""), |(server, name)| {
        (server, name.trim_start_matches('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_name_make_a_url_and_come_out_of_it() {
        for (server, name, url) in [
            ("rtmp://a/live", "key", "rtmp://a/live/key"),
            ("rtmp://a/live", "key?k=/v", "rtmp://a/live/key?k=/v"),
            ("rtmp://a/live?t=1", "key", "rtmp://a/live?t=1/key"),
            ("RTMPS://a:443/live/in", "key", "RTMPS://a:443/live/in/key"),
            ("rtsp://u:p@a/b", "c", "rtsp://u:p@a/b/c"),
        ] {
            assert_eq!(join(server, name), url);
            assert_eq!(split(url), (server, name), "{url}");
        }
        assert_eq!(form("SRT://a:1"), Form::StreamId);
        assert_eq!(
            with_stream_id("srt://a:1#x=1", "b/c"),
            "srt://a:1?streamid=b%2Fc#x=1"
        );
        assert_eq!(
            with_stream_id("srt://a:1?streamid=x", "b"),
            "srt://a:1?streamid=x"
        );
        assert_eq!(form("whips://a/b"), Form::Token);
        for (url, token, with) in [
            ("whip://a/b", "x y", "whip://a/b#token=x%20y"),
            ("whip://a/b#stun=c:1", "x", "whip://a/b#stun=c:1&token=x"),
            ("whip://a/b#token=y", "x", "whip://a/b#token=y"),
            ("whip://a/b", "", "whip://a/b"),
        ] {
            assert_eq!(with_token(url, token), with);
        }
        assert_eq!(join("rtmp://a/live/", "key"), "rtmp://a/live/key");
        assert_eq!(
            join("rtmp://a/b/c?t=1#ttl=7", "key"),
            "rtmp://a/b/c/key?t=1#ttl=7"
        );
        for url in [
            "srt://a:1?streamid=b/c",
            "udp://a:1",
            "rtmp://a",
            "rtmp://a/b",
            "",
        ] {
            assert_eq!(split(url), (url, ""), "{url}");
        }
    }
}
