//! Source text as tokens: enough of Rust's lexical rules to tell code from comments and strings.

/// What a token is. Comments and white space are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word,
    /// A string literal of any sort; its text is what stands between the quotes.
    Text,
    /// A number, a character or a lifetime: never of interest.
    Other,
    /// A character of punctuation, or one of `::`, `=>`, `==`, `!=`.
    Punctuation,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether this is the given word or punctuation.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Punctuation) && self.text == text
    }
}

/// All tokens of a file.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, token) = next(rest, first);
        if let Some((kind, text)) = token {
            tokens.push(Token { kind, text, line });
        }
        let (taken, after) = rest.split_at(length);
        line += taken.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The tokens outside items that are only compiled for tests.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if starts(&tokens[at..], "# ! [ cfg ( test ) ]") {
            break;
        }
        if starts(&tokens[at..], "# [ cfg ( test") || starts(&tokens[at..], "# [ cfg ( all ( test")
        {
            at = end_of_item(tokens, at);
        } else {
            kept.push(*token);
            at += 1;
        }
    }
    kept
}

/// Whether the tokens begin with the pattern: texts with spaces between them.
pub(crate) fn starts(tokens: &[Token<'_>], pattern: &str) -> bool {
    let mut tokens = tokens.iter();
    pattern
        .split(' ')
        .all(|text| tokens.next().is_some_and(|token| token.is(text)))
}

/// Behind the item to which the attribute at `at` belongs: its block, or its semicolon.
fn end_of_item(tokens: &[Token<'_>], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if token.kind != Kind::Punctuation {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    break;
                }
            }
            ";" | "," if depth == 0 => break,
            _ => {}
        }
    }
    at
}

type Taken<'a> = (usize, Option<(Kind, &'a str)>);

/// The length of what stands at the start of `rest`, and the token that it is.
fn next(rest: &str, first: char) -> Taken<'_> {
    if first.is_whitespace() {
        return (first.len_utf8(), None);
    }
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), None);
    }
    if let Some(string) = string(rest) {
        return string;
    }
    if first == '\'' || rest.starts_with("b'") {
        return (character_or_lifetime(rest), Some((Kind::Other, "")));
    }
    if first.is_ascii_digit() {
        let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '_');
        return (length, Some((Kind::Other, "")));
    }
    let raw = if rest.starts_with("r#") { 2 } else { 0 };
    let length = length_of(&rest[raw..], |c| c.is_alphanumeric() || c == '_');
    if length > 0 {
        return (raw + length, Some((Kind::Word, &rest[raw..raw + length])));
    }
    let pair = ["::", "=>", "==", "!="]
        .iter()
        .any(|pair| rest.starts_with(pair));
    let length = if pair { 2 } else { first.len_utf8() };
    (length, Some((Kind::Punctuation, &rest[..length])))
}

fn length_of(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of(c)).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(text.len())
}

/// A literal in double quotes, with any prefix.
fn string(text: &str) -> Option<Taken<'_>> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let hashes = text
            .strip_prefix(prefix)
            .map(|rest| match prefix.ends_with('r') {
                true => rest.trim_start_matches('#'),
                false => rest,
            });
        hashes.is_some_and(|rest| rest.starts_with('"'))
    })?;
    let hashes = length_of(&text[prefix.len()..], |c| c == '#');
    let start = prefix.len() + hashes + 1;
    let body = &text[start..];
    let end = if prefix.ends_with('r') {
        body.find(&format!("\"{}", "#".repeat(hashes)))
    } else {
        unescaped(body, b'"')
    };
    let end = end.unwrap_or(body.len());
    let length = (start + end + 1 + hashes).min(text.len());
    Some((length, Some((Kind::Text, &body[..end]))))
}

/// Where the quote stands that is not behind a backslash.
fn unescaped(body: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|byte| {
        let found = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// `'a'` and `'\''` are characters, `'a` alone is a lifetime.
fn character_or_lifetime(text: &str) -> usize {
    let start = text.find('\'').unwrap_or(0) + 1;
    let body = &text[start..];
    let mut characters = body.chars();
    let (first, second) = (characters.next(), characters.next());
    match first {
        Some('\\') => unescaped(body, b'\'').map_or(text.len(), |end| start + end + 1),
        Some(first) if second == Some('\'') => start + first.len_utf8() + 1,
        _ => start + length_of(body, |c| c.is_alphanumeric() || c == '_'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let words = tokens(text)
            .into_iter()
            .filter(|token| token.kind == Kind::Word);
        words.map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        let text = r####"
            a // b
            /* c /* d */ e */ f
            "g \" h" 'i' '\'' '"' b'j' b"k" c"l" r"m" r#"n " o"# br##"p "# q"## 'life r#type 0x1f 1_000u32
            /// s
            t"####;
        assert_eq!(words(text), ["a", "f", "type", "t"]);
        let texts: Vec<_> = tokens(text)
            .into_iter()
            .filter(|token| token.kind == Kind::Text)
            .map(|token| token.text)
            .collect();
        assert_eq!(texts, [r#"g \" h"#, "k", "l", "m", "n \" o", "p \"# q"]);
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for text in ["/* a", "\"a", "r#\"a\"", "'\\a", "'", "b'", "//", "\"\\"] {
            assert_eq!(words(text), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let last = *tokens("/*\n\n*/ \"\n\" // \n x").last().unwrap();
        assert_eq!((last.text, last.line), ("x", 5));
    }

    #[test]
    fn test_items_are_left_out() {
        let text = "
            a #[cfg(test)] mod tests { fn b() { c } }
            d #[cfg(test)] mod tests;
            #[cfg(test)] #[path = \"x\"] fn e(f: [u8; 2]) -> g { h }
            struct s { #[cfg(test)] field: u8, kept: u8 }
            #[cfg(not(test))] i #[cfg(all(test, unix))] use j::{k, l};
            m";
        let kept = without_tests(&tokens(text));
        let kept: Vec<_> = kept
            .iter()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
            .collect();
        let expected = "a d struct s kept u8 cfg not test i m";
        assert_eq!(kept.join(" "), expected);
        assert!(without_tests(&tokens("#![cfg(test)] fn a() {}")).is_empty());
    }
}
