//! `discover`: cameras in the networks of this machine.

use super::CommandError;
use crate::adapters::onvif::{self, Device};
use std::fmt::Write;
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long answers are waited for.
    pub timeout: Duration,
    /// Whether the answer is JSON.
    pub json: bool,
}

/// Looks for cameras: a list for people, or a JSON array.
///
/// # Errors
/// When no interface can be asked on.
pub async fn run(options: &Options) -> Result<String, CommandError> {
    let devices = onvif::discover(options.timeout).await;
    let devices = devices
        .map_err(|error| CommandError::Failed(format!("cannot look for cameras: {error}")))?;
    if options.json {
        let text = serde_json::to_string_pretty(&devices);
        let text = text.map_err(|error| CommandError::Failed(error.to_string()))?;
        return Ok(text + "\n");
    }
    Ok(list(&devices))
}

fn list(devices: &[Device]) -> String {
    let mut out = String::new();
    for device in devices {
        let name = [&device.manufacturer, &device.name, &device.hardware];
        let mut name: Vec<_> = name
            .into_iter()
            .flatten()
            .map(|text| printable(text))
            .collect();
        name.dedup();
        let profiles = match device.profiles.as_slice() {
            [] => String::new(),
            profiles => printable(&format!(" [{}]", profiles.join(", "))),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{:<24} {}{profiles}",
            printable(&device.address),
            name.join(" ")
        );
    }
    let _ = match devices.len() {
        0 => writeln!(out, "no camera has answered"),
        1 => writeln!(out, "1 camera"),
        count => writeln!(out, "{count} cameras"),
    };
    out
}

/// Nothing that a camera says moves the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_for_people() {
        let device = Device {
            address: "10.0.0.5".to_owned(),
            name: Some("Door\u{1b}[2J".to_owned()),
            manufacturer: Some("Acme".to_owned()),
            hardware: Some("IPC-1".to_owned()),
            profiles: vec!["S".to_owned(), "T".to_owned()],
            xaddrs: Vec::new(),
            reference: String::new(),
        };
        assert_eq!(
            list(&[device]),
            "10.0.0.5                 Acme Door[2J IPC-1 [S, T]\n1 camera\n"
        );
        assert_eq!(list(&[]), "no camera has answered\n");
    }
}
