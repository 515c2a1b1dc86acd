//! Variables (second edition of RFC 8216, section 4.3): `{$NAME}` stands for a value that `EXT-X-DEFINE` gives.

use super::attributes::Attributes;
use std::borrow::Cow;

/// Variables of a playlist.
const MAX_VARIABLES: usize = 100;

/// Longest line with the values in place.
const MAX_LINE: usize = 64 << 10;

/// Names and values. Those of a multivariant playlist are handed to the playlists that it names, which import them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// What a definition says: a value, one of those of the multivariant playlist, or one in the query of the
    /// playlist's own URL.
    pub(super) fn define(&mut self, list: Attributes<'_>, imported: &Self, query: &str) {
        let (name, value) = if let Some(name) = list.get("NAME") {
            (name, list.get("VALUE"))
        } else if let Some(name) = list.get("IMPORT") {
            (name, imported.get(name))
        } else if let Some(name) = list.get("QUERYPARAM") {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            (
                name,
                pairs.find_map(|(key, value)| (key == name).then_some(value)),
            )
        } else {
            return;
        };
        if let Some(value) = value.filter(|_| self.0.len() < MAX_VARIABLES) {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut known = self.0.iter();
        known.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// A line with values in place of the names; names that nothing is known of stay.
    pub(super) fn put_into<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || !line.contains("{$") {
            return Cow::Borrowed(line);
        }
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{$") {
            out.push_str(before);
            let found = after.split_once('}');
            match found.and_then(|(name, behind)| Some((self.get(name)?, behind))) {
                Some((value, behind)) if out.len() + value.len() <= MAX_LINE => {
                    out.push_str(value);
                    rest = behind;
                }
                _ => {
                    out.push_str("{$");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_place_of_names() {
        let none = Variables::default();
        let mut outer = Variables::default();
        outer.define(Attributes("NAME=\"host\",VALUE=\"example.com\""), &none, "");
        let mut variables = Variables::default();
        variables.define(Attributes("NAME=\"path\",VALUE=\"a/b\""), &none, "");
        variables.define(Attributes("IMPORT=\"host\""), &outer, "");
        variables.define(Attributes("QUERYPARAM=\"token\""), &none, "x=1&token=abc");
        variables.define(Attributes("IMPORT=\"nothing\""), &outer, "");
        variables.define(Attributes("x"), &outer, "");
        let cases = [
            (
                "https://{$host}/{$path}/1.ts?t={$token}",
                "https://example.com/a/b/1.ts?t=abc",
            ),
            ("{$nothing}/{$path", "{$nothing}/{$path"),
            ("plain", "plain"),
            ("{${$host}", "{$example.com"),
        ];
        for (line, expected) in cases {
            assert_eq!(variables.put_into(line), expected);
        }
    }

    #[test]
    fn lines_do_not_grow_without_bound() {
        let mut variables = Variables::default();
        let value = format!("NAME=\"v\",VALUE=\"{}\"", "x".repeat(10_000));
        variables.define(Attributes(&value), &Variables::default(), "");
        let line = "{$v}".repeat(1_000);
        assert!(variables.put_into(&line).len() <= MAX_LINE + line.len());
    }
}
