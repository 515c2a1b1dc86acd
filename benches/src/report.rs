//! The figures as a Markdown table and as JSON.

use crate::case::{Case, Row};
use crate::machine::Machine;
use serde::Serialize;
use std::fmt::Write as _;

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Where.
    pub machine: Machine,
    /// From the last reader's arrival to the window, in seconds.
    pub warm_up_seconds: f64,
    /// Length of the window in seconds.
    pub window_seconds: f64,
    /// The measurements.
    pub rows: Vec<Row>,
    /// Measurements that could not be made, and why.
    pub failures: Vec<String>,
}

const HEAD: &str = "\
| case | readers | CPU-s/Gbit | × floor | × nginx | kB RSS per reader | missing | first picture p50 ms | delay p50/p99 ms | Mbit/s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Run {
    /// All of it, for people.
    pub fn markdown(&self) -> String {
        let Machine {
            cores,
            processor,
            kernel,
            load_before,
        } = &self.machine;
        let mut text = format!(
            "{cores} cores ({processor}), Linux {kernel}, load before the run {load_before}; \
             warm-up {:.0} s, window {:.0} s; loopback, everything on this machine.\n\n{HEAD}\n",
            self.warm_up_seconds, self.window_seconds
        );
        for row in &self.rows {
            self.line(&mut text, row);
        }
        text.push('\n');
        for case in [Case::Rtmp, Case::Rtsp, Case::RtspUdp, Case::Whep, Case::Hls] {
            let row = self.rows.iter().find(|row| row.case == case);
            if let Some(row) = row {
                let (idle, stream) = (row.rss_idle_kb, row.rss_stream_kb);
                let title = case.title();
                let own = row.own_cpu_seconds / row.seconds * 100.0;
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "{title}: {idle} kB RSS idle, {stream} kB with the stream, which takes {own:.2} % of a core by itself."
                );
            }
        }
        for row in &self.rows {
            note(&mut text, row);
        }
        for failure in &self.failures {
            let _ = writeln!(text, "Not measured: {failure}.");
        }
        text
    }

    fn line(&self, text: &mut String, row: &Row) {
        let other = |case: Option<Case>| self.row(case?, row.readers);
        let floor = other(row.case.floor())
            .and_then(|floor| Some(row.cpu_per_gbit()? / floor.cpu_per_gbit()?));
        let peer = other(row.case.peer())
            .and_then(|peer| Some(row.readers_cpu_per_gbit()? / peer.readers_cpu_per_gbit()?));
        let delay = match (row.delay_p50_ms, row.delay_p99_ms) {
            (Some(p50), Some(p99)) => format!("{p50:.1}/{p99:.1}"),
            _ => "–".into(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {delay} | {:.1} |",
            row.case.title(),
            row.readers,
            number(row.cpu_per_gbit(), 3),
            number(floor, 2),
            number(peer, 2),
            number(row.rss_per_reader_kb(), 1),
            row.missing,
            number(row.first_picture_ms, 1),
            row.megabits_per_second(),
        );
    }

    fn row(&self, case: Case, readers: usize) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.case == case && row.readers == readers)
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}"))
}

/// What must be known to believe a row, or not to.
fn note(text: &mut String, row: &Row) {
    let title = format!("{} with {}", row.case.title(), row.readers);
    if row.lost > 0 {
        let why = row.error.as_deref().unwrap_or("no reason given");
        let _ = writeln!(
            text,
            "{title}: {} readers were lost, the first because {why}.",
            row.lost
        );
    }
    if row.repeated > 0 {
        let _ = writeln!(
            text,
            "{title}: {} access units came again or late.",
            row.repeated
        );
    }
    if row.holes > 0 {
        let (holes, packets) = (row.holes, row.packets);
        let _ = writeln!(
            text,
            "{title}: {holes} RTP packets were lost, {packets} came."
        );
    }
    if row.load_cpu_seconds > 0.9 * row.seconds {
        let _ = writeln!(
            text,
            "{title}: the readers used a whole core; the delays are theirs."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: Case, cpu_seconds: f64) -> Row {
        Row {
            case,
            readers: 50,
            cpu_seconds,
            own_cpu_seconds: 0.0,
            gbit: 2.0,
            seconds: 8.0,
            rss_idle_kb: 9_000,
            rss_stream_kb: 10_000,
            rss_readers_kb: 10_500,
            packets: 0,
            holes: 0,
            sound: 0,
            missing: 3,
            repeated: 0,
            lost: 0,
            error: None,
            first_picture_ms: Some(4.25),
            delay_p50_ms: Some(1.0),
            delay_p99_ms: Some(2.5),
            load_cpu_seconds: 1.0,
        }
    }

    fn run(rows: Vec<Row>) -> Run {
        Run {
            machine: Machine::default(),
            warm_up_seconds: 3.0,
            window_seconds: 8.0,
            rows,
            failures: vec!["x: y".into()],
        }
    }

    #[test]
    fn a_case_is_compared_with_its_floor_and_its_peer() {
        let text = run(vec![
            Row {
                own_cpu_seconds: 0.1,
                ..row(Case::Rtmp, 0.7)
            },
            row(Case::NginxRtmp, 1.2),
            row(Case::Floor, 0.3),
        ])
        .markdown();
        let line =
            "| RTMP, Millstream | 50 | 0.350 | 2.33 | 0.50 | 10.0 | 3 | 4.2 | 1.0/2.5 | 250.0 |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("Not measured: x: y."), "{text}");
        let alone = run(vec![row(Case::Hls, 0.6)]).markdown();
        assert!(
            alone.contains("| HLS, Millstream | 50 | 0.300 | – | – |"),
            "{alone}"
        );
    }

    #[test]
    fn what_spoils_a_row_is_said() {
        let spoilt = Row {
            lost: 2,
            error: Some("the connection broke".into()),
            load_cpu_seconds: 7.9,
            ..row(Case::Rtmp, 1.0)
        };
        let text = run(vec![spoilt]).markdown();
        assert!(
            text.contains("2 readers were lost, the first because the connection broke."),
            "{text}"
        );
        assert!(text.contains("whole core"), "{text}");
    }

    #[test]
    fn memory_of_a_reader_is_not_guessed_from_a_few() {
        let few = Row {
            readers: 1,
            ..row(Case::Rtmp, 1.0)
        };
        assert_eq!(few.rss_per_reader_kb(), None);
        assert_eq!(row(Case::Rtmp, 1.0).rss_per_reader_kb(), Some(10.0));
    }
}
