//! Recorded session descriptions: each is read, written, and then read as the same.

use sdp::Description;
use std::path::Path;

#[test]
fn recorded_descriptions_are_read_and_written() {
    let Some(corpus) = std::env::var_os("MILLSTREAM_CORPUS") else {
        println!("MILLSTREAM_CORPUS is not set: recorded descriptions are left out");
        return;
    };
    let folder = Path::new(&corpus).join("sdp/sdp-transform");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sdp") {
            continue;
        }
        count += 1;
        let bytes = std::fs::read(&path).unwrap();
        let lines = String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| line.starts_with("m="))
            .count();
        let description =
            Description::parse(&bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(description.media.len(), lines, "{path:?}");
        let again = Description::parse(description.to_string().as_bytes());
        assert_eq!(again, Ok(description.clone()), "{path:?}");
        if path.ends_with("onvif.sdp") {
            let names = description
                .media
                .iter()
                .map(|media| media.formats[0].name.as_str());
            assert_eq!(
                names.collect::<Vec<_>>(),
                ["PCMU", "JPEG", "vnd.onvif.metadata"]
            );
        }
    }
    assert!(count > 10, "only {count} descriptions");
}
