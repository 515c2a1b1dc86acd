//! Header fields: a list of names and values, in order.

/// The header fields of a message. Names are told apart without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.iter();
        let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The values of all fields of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.iter();
        fields
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Appends a field.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Replaces the first field of that name, or appends one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let mut fields = self.0.iter_mut();
        match fields.find(|(found, _)| found.eq_ignore_ascii_case(name)) {
            Some(field) => field.1 = value.into(),
            None => self.push(name, value),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Continues the last field's value (a folded line, RFC 2326 section 4.2 by way of HTTP/1.1).
    pub(crate) fn fold(&mut self, more: &str) {
        if let Some((_, value)) = self.0.last_mut() {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(more);
        }
    }

    /// The number that orders requests; `None` where it is missing or none.
    pub fn cseq(&self) -> Option<u32> {
        self.get("CSeq")?.trim().parse().ok()
    }

    /// How long the body is; `None` where that is not said, or in a way that makes no sense.
    pub(crate) fn content_length(&self) -> Option<usize> {
        self.get("Content-Length")?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_their_names() {
        let mut headers = Headers::default();
        headers.push("CSeq", "7 ");
        headers.push("WWW-Authenticate", "a");
        headers.push("www-authenticate", "b");
        assert_eq!((headers.get("cseq"), headers.cseq()), (Some("7 "), Some(7)));
        assert_eq!(
            headers.all("WWW-AUTHENTICATE").collect::<Vec<_>>(),
            ["a", "b"]
        );
        headers.set("cseq", "8");
        headers.set("Session", "");
        headers.fold("x");
        headers.fold("y");
        assert_eq!(
            (headers.cseq(), headers.get("session")),
            (Some(8), Some("x y"))
        );
        for (value, length) in [
            ("5", Some(5)),
            ("-1", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            headers.set("Content-Length", value);
            assert_eq!(headers.content_length(), length, "{value}");
        }
    }
}
