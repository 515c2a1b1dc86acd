//! A URL as it may be shown to anybody: without what lets its reader in.

use std::fmt;

/// Shows a URL's scheme, host, port and the path up to its last segment. User name and password, the last
/// segment of a path of several (where stream keys stand), query and fragment are shown as `***`.
///
/// It never fails: what is no URL is taken for a host and a path.
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match self.0.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, self.0),
        };
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (place, hidden) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (authority, path) = match place.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (place, None),
        };
        if let Some(scheme) = scheme {
            write!(f, "{scheme}://")?;
        }
        match authority.rsplit_once('@') {
            Some((_, host)) => write!(f, "***@{host}")?,
            None => f.write_str(authority)?,
        }
        match path.map(|path| path.rsplit_once('/').ok_or(path)) {
            None => {}
            Some(Err(only)) => write!(f, "/{only}")?,
            Some(Ok((before, ""))) => write!(f, "/{before}/")?,
            Some(Ok((before, _))) => write!(f, "/{before}/***")?,
        }
        match hidden.chars().next() {
            Some(mark) => write!(f, "{mark}***"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_passwords_are_not_shown() {
        let cases = [
            ("rtmp://a.example/live2/key", "rtmp://a.example/live2/***"),
            (
                "rtmp://u:p@a:1936/app/in/key?x=y",
                "rtmp://***@a:1936/app/in/***?***",
            ),
            ("rtmp://a/app", "rtmp://a/app"),
            ("rtmp://a/app/", "rtmp://a/app/"),
            ("rtmp://a/app?token=x/key", "rtmp://a/app?***"),
            ("srt://[::1]:4200?streamid=secret", "srt://[::1]:4200?***"),
            ("rtsp://u:p@ss@cam/1#transport=udp", "rtsp://***@cam/1#***"),
            ("a/b/c", "a/b/***"),
            ("", ""),
        ];
        for (url, shown) in cases {
            assert_eq!(Redacted(url).to_string(), shown, "{url}");
        }
    }
}
