//! What the server is built of, as CycloneDX 1.5 in JSON. It has no time and no serial number: the same sources make the
//! same document.

use super::inventory::{Inventory, Origin, Package};
use std::fmt::Write;

/// The document.
pub(super) fn document(used: &Inventory) -> String {
    let mut packages = used.packages.iter();
    let server = packages.next().map(component).unwrap_or_default();
    let components: Vec<String> = packages.map(component).collect();
    let dependencies = used.packages.iter().map(|package| {
        let uses = package.uses.iter().filter_map(|at| used.packages.get(*at));
        let mut uses: Vec<String> = uses.map(|package| text(&address(package))).collect();
        uses.sort();
        format!(
            "{{\"ref\":{},\"dependsOn\":[{}]}}",
            text(&address(package)),
            uses.join(",")
        )
    });
    let dependencies: Vec<String> = dependencies.collect();
    format!(
        "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\n\
         \"metadata\":{{\"component\":{server}}},\n\
         \"components\":[\n{}\n],\n\"dependencies\":[\n{}\n]}}\n",
        components.join(",\n"),
        dependencies.join(",\n")
    )
}

fn component(package: &Package) -> String {
    let kind = match (package.origin, &*package.name) {
        (Origin::Ours, "millstream") => "application",
        _ => "library",
    };
    let address = text(&address(package));
    let mut json = format!(
        "{{\"type\":\"{kind}\",\"bom-ref\":{address},\"name\":{},\"version\":{},\"purl\":{address}",
        text(&package.name),
        text(&package.version)
    );
    // Writing to a String does not fail.
    if let Some((algorithm, sum)) = &package.hash {
        let _ = write!(
            json,
            ",\"hashes\":[{{\"alg\":\"{algorithm}\",\"content\":\"{sum}\"}}]"
        );
    }
    if !package.licence.is_empty() {
        let _ = write!(
            json,
            ",\"licenses\":[{{\"expression\":{}}}]",
            text(&package.licence)
        );
    }
    if !package.repository.is_empty() {
        let _ = write!(
            json,
            ",\"externalReferences\":[{{\"type\":\"vcs\",\"url\":{}}}]",
            text(&package.repository)
        );
    }
    json + "}"
}

/// Its package URL.
fn address(package: &Package) -> String {
    let Package { name, version, .. } = package;
    match package.origin {
        Origin::Ours | Origin::Cargo => format!("pkg:cargo/{name}@{version}"),
        Origin::Npm => format!("pkg:npm/{}@{version}", name.replace('@', "%40")),
        Origin::Toolchain => format!("pkg:generic/{name}@{version}"),
    }
}

/// A text as JSON has it.
fn text(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            letter if letter < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(letter));
            }
            letter => json.push(letter),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_in_json() {
        let package = Package {
            origin: Origin::Npm,
            name: "@x/y".to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
            repository: String::new(),
            hash: Some(("SHA-512", "00ff".to_owned())),
            folder: None,
            uses: Vec::new(),
        };
        let expected = "{\"type\":\"library\",\"bom-ref\":\"pkg:npm/%40x/y@1.0.0\",\"name\":\"@x/y\",\"version\":\"1.0.0\",\
            \"purl\":\"pkg:npm/%40x/y@1.0.0\",\"hashes\":[{\"alg\":\"SHA-512\",\"content\":\"00ff\"}],\
            \"licenses\":[{\"expression\":\"MIT\"}]}";
        assert_eq!(component(&package), expected);
        assert_eq!(text("a\"\\\n"), "\"a\\\"\\\\\\u000a\"");
    }
}
