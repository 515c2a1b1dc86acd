//! Commands as they are written: `function key=value key=value`, on a line or, without the function, as base64 in a URL.
//!
//! A backslash takes the meaning from the space, `=`, `,` or backslash behind it. Names of functions and parameters are
//! the same in capitals.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// The longest text of a command, in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// Most parameters of a command.
const MAX_PARAMETERS: usize = 64;

/// The function, its parameters, and the ID of the command.
const MAX_WORDS: usize = MAX_PARAMETERS + 2;

/// Base64 with or without padding, and with what encoders leave in the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A function and what it is given, not looked at yet. Not `Debug`: it holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// As it was written.
    pub function: String,
    /// In order, but for the ID of the command. No name comes twice.
    pub parameters: Vec<(String, String)>,
    id: Option<String>,
}

/// Why a text is no command. None of the words are values of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is nothing.
    #[error("There is no function; help lists those that exist")]
    Empty,
    /// It is longer than [`MAX_TEXT`].
    #[error("The command is longer than 65536 bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("The command is not UTF-8")]
    NotText,
    /// What should be base64 is not.
    #[error("params is not base64")]
    NotBase64,
    /// More than 64.
    #[error("The command has more than 64 parameters")]
    TooMany,
    /// A word that is no `key=value`.
    #[error("Parameter number {0} is no key=value")]
    NoValue(usize),
    /// A name that stands there before.
    #[error("Parameter {0} is given twice")]
    Twice(String),
}

impl Command {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        let mut words = words(text)?.into_iter();
        let function = words.next().ok_or(CommandError::Empty)?;
        Self::new(function.text, words)
    }

    /// Reads a function's name and, as it stands in the query of a URL, what that is given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_url(function: &str, params: &str) -> Result<Self, CommandError> {
        if params.len() > MAX_TEXT {
            return Err(CommandError::TooLong);
        }
        if function.is_empty() {
            return Err(CommandError::Empty);
        }
        let params = percent_decode_str(params).decode_utf8();
        let params = params.map_err(|_| CommandError::NotBase64)?;
        // Examples in documents have brackets around it; a plus sign may have become a space on its way.
        let stray = |letter: char| matches!(letter, '(' | ')' | '"' | '\'' | '\r' | '\n' | '\t');
        let params = params.trim_matches(stray);
        let params: String = params
            .trim_start()
            .chars()
            .map(|letter| match letter {
                '-' | ' ' => '+',
                '_' => '/',
                other => other,
            })
            .collect();
        let text = BASE64.decode(&params);
        let text = text.or_else(|_| BASE64.decode(params.trim_end_matches('+')));
        let text = text.map_err(|_| CommandError::NotBase64)?;
        let text = String::from_utf8(text).map_err(|_| CommandError::NotText)?;
        let mut words = words(text.trim_matches(stray))?;
        let repeats =
            |word: &Word| word.value.is_none() && word.text.eq_ignore_ascii_case(function);
        if words.first().is_some_and(repeats) {
            words.remove(0);
        }
        Self::new(function.to_owned(), words.into_iter())
    }

    fn new(function: String, words: impl Iterator<Item = Word>) -> Result<Self, CommandError> {
        let mut command = Self {
            function,
            parameters: Vec::new(),
            id: None,
        };
        for (number, word) in words.enumerate() {
            let value = word.value.ok_or(CommandError::NoValue(number + 1))?;
            let is_known = |known: &(String, String)| known.0.eq_ignore_ascii_case(&word.text);
            if command.parameters.iter().any(is_known) {
                return Err(CommandError::Twice(word.text));
            }
            if word.text.eq_ignore_ascii_case("commandId") {
                command.id = Some(value);
                continue;
            }
            if command.parameters.len() >= MAX_PARAMETERS {
                return Err(CommandError::TooMany);
            }
            command.parameters.push((word.text, value));
        }
        Ok(command)
    }

    /// What its answer is to be told apart by, if anything.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// What stands between two spaces.
struct Word {
    /// All of it, or what stands before the first `=`.
    text: String,
    /// What stands behind that.
    value: Option<String>,
}

fn words(text: &str) -> Result<Vec<Word>, CommandError> {
    if text.len() > MAX_TEXT {
        return Err(CommandError::TooLong);
    }
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        if word.is_none() && words.len() >= MAX_WORDS {
            return Err(CommandError::TooMany);
        }
        let escaped = (letter == '\\')
            .then(|| letters.next_if(|next| matches!(next, '\\' | ' ' | '=' | ',')))
            .flatten();
        let current = word.get_or_insert_with(|| Word {
            text: String::new(),
            value: None,
        });
        match (&mut current.value, escaped) {
            (Some(value), escaped) => value.push(escaped.unwrap_or(letter)),
            (none, None) if letter == '=' => *none = Some(String::new()),
            (None, escaped) => current.text.push(escaped.unwrap_or(letter)),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    fn shown(command: &Command) -> String {
        let parameters = command.parameters.iter();
        let parameters = parameters.map(|(key, value)| format!(" [{key}]=[{value}]"));
        format!("{}{}", command.function, parameters.collect::<String>())
    }

    #[test]
    fn lines_are_taken_apart() {
        for (line, expected) in [
            ("version", "version"),
            ("  help \t", "help"),
            (
                "pushStream uri=rtmp://a/b?c=d localStreamName=x",
                "pushStream [uri]=[rtmp://a/b?c=d] [localStreamName]=[x]",
            ),
            (
                r"f a=b\ c\=d\\e\,f g=\x h=",
                r"f [a]=[b c=d\e,f] [g]=[\x] [h]=[]",
            ),
            (r"f a\=b=c", "f [a=b]=[c]"),
            ("f a=b\\", "f [a]=[b\\]"),
        ] {
            let command = Command::parse(line.as_bytes()).ok().unwrap();
            assert_eq!(shown(&command), expected, "{line}");
        }
        let numbered = Command::parse(b"f a=b COMMANDID=7").ok().unwrap();
        assert_eq!(
            (shown(&numbered).as_str(), numbered.id()),
            ("f [a]=[b]", Some("7"))
        );
    }

    #[test]
    fn base64_is_taken_as_people_send_it() {
        // Of a length and with letters for which the forms of base64 differ.
        let text = "uri=rtmp://a/b??>>~~ localStreamName=x";
        let expected = "f [uri]=[rtmp://a/b??>>~~] [localStreamName]=[x]";
        let padded = STANDARD.encode(text);
        assert!(padded.contains('+') && padded.contains('/') && padded.ends_with('='));
        let percent: String = padded.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for params in [
            padded.clone(),
            STANDARD_NO_PAD.encode(text),
            URL_SAFE_NO_PAD.encode(text),
            padded.replace('+', " "),
            format!("({padded})"),
            format!("{padded})"),
            format!("%28{padded}%29"),
            format!("{padded}%0A"),
            percent,
            STANDARD.encode(format!("f {text}")),
            STANDARD.encode(format!("({text})")),
        ] {
            let command = Command::of_url("f", &params).ok().unwrap();
            assert_eq!(shown(&command), expected, "{params}");
        }
        assert_eq!(
            Command::of_url("version", "").ok().map(|it| shown(&it)),
            Some("version".into())
        );
    }

    #[test]
    fn what_is_no_command_is_refused_in_words() {
        let line = |line: &str| Command::parse(line.as_bytes()).err().unwrap();
        assert_eq!(line(""), CommandError::Empty);
        assert_eq!(line("f a=b word"), CommandError::NoValue(2));
        assert_eq!(line("f a=b A=c"), CommandError::Twice("A".into()));
        let many: String = (0..65).map(|number| format!(" a{number}=b")).collect();
        assert_eq!(line(&format!("f{many}")), CommandError::TooMany);
        assert_eq!(line(&"f".repeat(MAX_TEXT + 1)), CommandError::TooLong);
        assert_eq!(Command::parse(b"f \xff").err(), Some(CommandError::NotText));
        for (params, error) in [
            ("!", CommandError::NotBase64),
            ("%ff", CommandError::NotBase64),
            ("YQ==", CommandError::NoValue(1)),
            ("/w==", CommandError::NotText),
        ] {
            assert_eq!(Command::of_url("f", params).err(), Some(error), "{params}");
        }
        assert_eq!(Command::of_url("", "").err(), Some(CommandError::Empty));
    }
}
