//! `WWW-Authenticate` and `Authorization`: schemes with parameters (RFC 9110 section 11), as peers write them.

use super::digest::Algorithm;

/// Most schemes of one value that are looked at, and most parameters of each.
const MAX_SCHEMES: usize = 8;
const MAX_PARAMETERS: usize = 32;

/// A scheme with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, String)>,
    /// What follows the name and is no parameter, such as the credentials of Basic.
    pub(crate) token: String,
}

impl Scheme {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// Reads schemes one after the other. Values may lack their quotes and have blanks in them, parameters the
    /// commas between them.
    pub(crate) fn parse_list(value: &str) -> Vec<Self> {
        let mut schemes: Vec<Self> = Vec::new();
        let mut rest = value;
        loop {
            rest = rest.trim_start_matches([',', ' ', '\t']);
            let end = rest.find([',', ' ', '\t', '=']).unwrap_or(rest.len());
            let Some((word, after)) = rest
                .split_at_checked(end)
                .filter(|(word, _)| !word.is_empty())
            else {
                let Some(after) = rest.strip_prefix('=') else {
                    return schemes;
                };
                rest = after;
                continue;
            };
            let is_scheme = ["Digest", "Basic"]
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known));
            let equals = after.trim_start().strip_prefix('=');
            if equals.is_none() && (is_scheme || schemes.is_empty()) {
                if schemes.len() >= MAX_SCHEMES {
                    return schemes;
                }
                schemes.push(Self {
                    name: word.to_owned(),
                    ..Self::default()
                });
                rest = after;
                continue;
            }
            let Some(scheme) = schemes.last_mut() else {
                rest = equals.unwrap_or_default();
                continue;
            };
            rest = match equals {
                Some(value) if !scheme.is("Basic") || word.eq_ignore_ascii_case("realm") => {
                    let (value, after) = parameter(value.trim_start());
                    if scheme.parameters.len() < MAX_PARAMETERS {
                        scheme.parameters.push((word.to_owned(), value));
                    }
                    after
                }
                _ => scheme.continued(word, after),
            };
        }
    }

    /// Takes a word that is neither a name nor a scheme: a token, with the padding of base64 at its end, or the
    /// rest of a value that lacks its quotes. Gives back what follows it.
    fn continued<'a>(&mut self, word: &str, after: &'a str) -> &'a str {
        if let Some((_, value)) = self.parameters.last_mut() {
            value.push(' ');
            value.push_str(word);
            return after;
        }
        let rest = after.trim_start_matches('=');
        let padding = after.len() - rest.len();
        word.clone_into(&mut self.token);
        self.token.extend(std::iter::repeat_n('=', padding));
        rest
    }
}

/// A value, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Digest(Digest),
}

/// What a server asks for with Digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) algorithm: Algorithm,
    /// Whether the server said which; some do not understand what they did not say.
    pub(crate) named: bool,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) opaque: Option<String>,
    /// Whether requests are counted (`qop` is `auth`).
    pub(crate) counted: bool,
    /// Only the nonce was wrong.
    pub(crate) stale: bool,
}

impl Challenge {
    /// The strongest of those in the fields of a response that can be met.
    pub(crate) fn strongest<'a>(fields: impl Iterator<Item = &'a str>) -> Option<Self> {
        let challenges = fields.flat_map(Scheme::parse_list);
        let challenges = challenges.filter_map(|scheme| Self::of(&scheme));
        // Of equals the first.
        challenges.fold(None, |best: Option<Self>, next| match best {
            Some(best) if best.strength() >= next.strength() => Some(best),
            _ => Some(next),
        })
    }

    const fn strength(&self) -> u8 {
        match self {
            Self::Basic => 0,
            Self::Digest(digest) => match digest.algorithm {
                Algorithm::Md5 => 1,
                Algorithm::Sha256 => 2,
            },
        }
    }

    fn of(scheme: &Scheme) -> Option<Self> {
        if scheme.is("Basic") {
            return Some(Self::Basic);
        }
        if !scheme.is("Digest") {
            return None;
        }
        // They come back in what is answered, and no field may have these (RFC 9110 section 5.5).
        let values = &mut scheme.parameters.iter().map(|(_, value)| value);
        if values.any(|value| value.contains(|c: char| c.is_control() && c != '\t')) {
            return None;
        }
        let qop = scheme.get("qop").filter(|qop| !qop.trim().is_empty());
        let counted = qop.map(|qop| lists(qop, "auth"));
        // Integrity of the body alone is not supported.
        if counted == Some(false) {
            return None;
        }
        let algorithm = scheme.get("algorithm");
        Some(Self::Digest(Digest {
            algorithm: algorithm.map_or(Some(Algorithm::Md5), Algorithm::parse)?,
            named: algorithm.is_some(),
            realm: scheme.get("realm").unwrap_or_default().to_owned(),
            nonce: scheme.get("nonce")?.to_owned(),
            opaque: scheme.get("opaque").map(str::to_owned),
            counted: counted == Some(true),
            // "FALSE" in quotes and capitals occurs.
            stale: scheme
                .get("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        }))
    }
}

/// Whether a value of words with commas or blanks between them has this one.
fn lists(value: &str, word: &str) -> bool {
    let mut words = value.split([',', ' ']);
    words.any(|found| found.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strongest(fields: &[&str]) -> Option<Challenge> {
        Challenge::strongest(fields.iter().copied())
    }

    fn digest(algorithm: Algorithm, realm: &str, nonce: &str) -> Digest {
        Digest {
            algorithm,
            named: false,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: None,
            counted: false,
            stale: false,
        }
    }

    #[test]
    fn as_cameras_write_it() {
        let md5 = |realm, nonce| Some(Challenge::Digest(digest(Algorithm::Md5, realm, nonce)));
        let named = |digest| {
            Some(Challenge::Digest(Digest {
                named: true,
                ..digest
            }))
        };
        let cases: [(&[&str], _); 10] = [
            (&["Digest realm=\"a b\", nonce=\"c\""], md5("a b", "c")),
            (
                &["digest Realm=\"a\",nonce=\"c\", stale=\"FALSE\", qop=\"\""],
                md5("a", "c"),
            ),
            (&["Digest realm=\"a\\\"b\" nonce=c"], md5("a\"b", "c")),
            (
                &["Digest realm=IP Camera(12), nonce=c"],
                md5("IP Camera(12)", "c"),
            ),
            (
                &["Basic realm=\"x\"", "Digest realm=\"a\", nonce=\"c\""],
                md5("a", "c"),
            ),
            (
                &["Basic realm=\"x\", Digest realm=\"a\", nonce=\"c\""],
                md5("a", "c"),
            ),
            (
                &[
                    "Digest realm=\"a\", nonce=\"c\", algorithm=\"MD5\"",
                    "Digest realm=\"a\", nonce=\"d\", algorithm=SHA-256",
                ],
                named(digest(Algorithm::Sha256, "a", "d")),
            ),
            (
                &[
                    "Digest nonce=\"c\", qop=\"auth,auth-int\", stale=TRUE, opaque=\"o\", algorithm=md5",
                ],
                named(Digest {
                    counted: true,
                    stale: true,
                    opaque: Some("o".to_owned()),
                    ..digest(Algorithm::Md5, "", "c")
                }),
            ),
            (&["Basic"], Some(Challenge::Basic)),
            (
                &["Digest realm=\"a\", nonce=\"c\", algorithm=MD5-sess, Basic realm=x"],
                Some(Challenge::Basic),
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(strongest(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_cannot_be_met() {
        let cases = [
            "",
            ",,= ,",
            "Negotiate abc==",
            "Digest realm=\"a\"",
            "Digest nonce=c, qop=\"auth-int\"",
            "Digest nonce=c, algorithm=SHA-512-256",
            "Digest nonce=\"c\rX: y\"",
            "Digest nonce=c, opaque=\"\0\"",
        ];
        for field in cases {
            assert_eq!(strongest(&[field]), None, "{field}");
        }
    }

    #[test]
    fn tokens_keep_their_padding() {
        let schemes = Scheme::parse_list("Basic dXNlcjpwdw==");
        assert_eq!(schemes[0].token, "dXNlcjpwdw==");
    }
}
