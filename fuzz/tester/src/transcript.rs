//! The record of what was sent and received, in lines, and bounded.

use std::cell::RefCell;
use std::rc::Rc;

/// Most lines that are kept: the first ones, and a count of the others.
const LINES: usize = 120;

/// Most bytes of one piece that are shown.
const SHOWN: usize = 400;

/// A record that the sockets of a case share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript(Rc<RefCell<Record>>);

#[derive(Debug, Default)]
struct Record {
    lines: Vec<String>,
    left_out: usize,
}

impl Transcript {
    pub(crate) fn sent(&self, bytes: &[u8]) {
        self.add("->", bytes);
    }

    pub(crate) fn received(&self, bytes: &[u8]) {
        self.add("<-", bytes);
    }

    /// Something that happened beside the bytes.
    pub(crate) fn note(&self, sentence: &str) {
        self.line(format!("-- {sentence}"));
    }

    /// What there is, leaving nothing.
    pub(crate) fn take(&self) -> Vec<String> {
        let Record {
            mut lines,
            left_out,
        } = self.0.take();
        if left_out > 0 {
            lines.push(format!("-- {left_out} more lines"));
        }
        lines
    }

    fn add(&self, arrow: &str, bytes: &[u8]) {
        // What is not kept need not be written out.
        if self.0.borrow().lines.len() < LINES {
            self.line(format!("{arrow} {}", shown(bytes)));
        } else {
            self.0.borrow_mut().left_out += 1;
        }
    }

    fn line(&self, line: String) {
        let mut record = self.0.borrow_mut();
        if record.lines.len() < LINES {
            record.lines.push(line);
        } else {
            record.left_out += 1;
        }
    }
}

/// Text as text, anything else in hexadecimal digits.
fn shown(bytes: &[u8]) -> String {
    let some = &bytes[..bytes.len().min(SHOWN)];
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    let mut text = if some.iter().all(is_text) {
        String::from_utf8_lossy(some).escape_debug().to_string()
    } else {
        let some = &some[..some.len().min(SHOWN / 4)];
        some.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    if text.len() < bytes.len() {
        text.push('…');
    }
    format!("{text} ({} bytes)", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_shown() {
        let transcript = Transcript::default();
        transcript.sent(b"GET /\r\n");
        transcript.received(&[0, 255]);
        transcript.note("closed");
        assert_eq!(
            transcript.take(),
            ["-> GET /\\r\\n (7 bytes)", "<- 00ff (2 bytes)", "-- closed"]
        );
        for _ in 0..LINES + 3 {
            transcript.sent(b"x");
        }
        assert_eq!(
            transcript.take().last().map(String::as_str),
            Some("-- 3 more lines")
        );
        assert!(transcript.take().is_empty());
    }
}
