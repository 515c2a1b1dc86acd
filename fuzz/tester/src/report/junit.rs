//! JUnit's XML, as services of continuous integration read it.

use super::{Result, Verdict, counts};
use crate::case::Protocol;

/// All results, a suite for each protocol.
pub(crate) fn junit(results: &[Result]) -> String {
    let all = counts(results);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"millstream-tester\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
        results.len(),
        all.failed,
        all.skipped
    );
    for protocol in Protocol::ALL {
        let own: Vec<Result> = results
            .iter()
            .filter(|result| result.protocol == protocol)
            .cloned()
            .collect();
        if own.is_empty() {
            continue;
        }
        let counts = counts(&own);
        xml.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
            protocol.name(),
            own.len(),
            counts.failed,
            counts.skipped
        ));
        for result in &own {
            xml.push_str(&case(result));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(result: &Result) -> String {
    let mut xml = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">\n",
        result.protocol.name(),
        escaped(&result.name),
        result.seconds
    );
    let reason = escaped(result.verdict.reason().unwrap_or_default());
    match result.verdict {
        Verdict::Failed(_) => xml.push_str(&format!("      <failure message=\"{reason}\"/>\n")),
        Verdict::Skipped(_) => xml.push_str(&format!("      <skipped message=\"{reason}\"/>\n")),
        Verdict::Passed | Verdict::Warned(_) => {}
    }
    let mut told = format!("{} ({})\n", result.what, result.standard);
    if matches!(result.verdict, Verdict::Failed(_) | Verdict::Warned(_)) {
        told.push_str(&format!(
            "{}\nagain: {}\n{}\n",
            result.verdict.word(),
            result.replay,
            result.transcript.join("\n")
        ));
    }
    xml.push_str(&format!(
        "      <system-out>{}</system-out>\n    </testcase>\n",
        escaped(&told)
    ));
    xml
}

/// Without what XML 1.0 has no way to write.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            other if other < ' ' || matches!(other, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn it_is_xml() {
        let xml = junit(&samples());
        assert!(xml.contains("tests=\"4\" failures=\"1\" skipped=\"1\""));
        assert!(xml.contains("message=\"&quot;no&quot;\""));
        assert!(xml.contains("a &amp; b") && xml.contains("-&gt; \u{fffd}&lt;x&gt;"));
    }
}
