//! Table `[record.s3]`: the object storage that recordings are copied to.

use super::Secret;
use serde::Deserialize;
use url::Url;

/// What S3 allows of a part but the last, at least, and what one may take of the server's memory, in bytes.
const PART: std::ops::RangeInclusive<u64> = 5 << 20..=64 << 20;

/// Uploads that may run at a time.
const UPLOADS: std::ops::RangeInclusive<usize> = 1..=16;

/// Table `[record.s3]`. Without a bucket, nothing is copied.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Where the storage answers; without, AWS does in its region.
    pub endpoint: Option<Url>,
    /// The bucket, which has to exist.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Stands in front of the name of each object, which is `APP/FILE`.
    pub prefix: String,
    /// Who asks.
    pub access_key: String,
    /// By what that is proved.
    pub secret_key: Option<Secret>,
    /// The bucket is named in the path of a URL, and not in its host.
    pub path_style: bool,
    /// A file that is in the storage is removed from the disk.
    pub delete_local: bool,
    /// Where players find objects, below which their names stand; without, they get links that are signed.
    pub public_url: Option<Url>,
    /// Files that are copied at a time.
    pub uploads: usize,
    /// Bytes that are sent at a time, of each file.
    pub part_bytes: u64,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: None,
            bucket: String::new(),
            region: "us-east-1".into(),
            prefix: String::new(),
            access_key: String::new(),
            secret_key: None,
            path_style: true,
            delete_local: false,
            public_url: None,
            uploads: 2,
            part_bytes: 8 << 20,
        }
    }
}

impl S3 {
    /// Whether recordings are copied.
    pub const fn is_on(&self) -> bool {
        !self.bucket.is_empty()
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !self.endpoint.as_ref().is_none_or(is_web) {
            return Err((
                "record.s3.endpoint",
                "must be a URL of http or https".into(),
            ));
        }
        if !self.public_url.as_ref().is_none_or(is_web) {
            let message = "must be a URL of http or https";
            return Err(("record.s3.public_url", message.into()));
        }
        let is_plain =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if !self.bucket.chars().all(is_plain) {
            let message = "may hold letters, digits, '-', '_' and '.'";
            return Err(("record.s3.bucket", message.into()));
        }
        // So that no name needs an escape in a URL.
        let folders = self.prefix.strip_suffix('/').unwrap_or(&self.prefix);
        let is_folder =
            |folder: &str| folder.chars().all(is_plain) && !matches!(folder, "" | "." | "..");
        if !self.prefix.is_empty() && !folders.split('/').all(is_folder) {
            let message = "is folders of letters, digits, '-', '_' and '.', such as a/b/";
            return Err(("record.s3.prefix", message.into()));
        }
        if self.is_on() && (self.access_key.is_empty() || self.secret_key.is_none()) {
            let message = "needs record.s3.access_key and record.s3.secret_key as well";
            return Err(("record.s3.bucket", message.into()));
        }
        if !UPLOADS.contains(&self.uploads) {
            return Err(("record.s3.uploads", "must lie between 1 and 16".into()));
        }
        if !PART.contains(&self.part_bytes) {
            let message = "must lie between 5242880 and 67108864";
            return Err(("record.s3.part_bytes", message.into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_and_secrets_are_not_shown() {
        for (text, key) in [
            ("endpoint = \"ftp://a\"", "record.s3.endpoint"),
            ("public_url = \"file:///a\"", "record.s3.public_url"),
            ("bucket = \"a/b\"", "record.s3.bucket"),
            ("bucket = \"a\"", "record.s3.bucket"),
            ("prefix = \"../a\"", "record.s3.prefix"),
            ("prefix = \"/a\"", "record.s3.prefix"),
            ("prefix = \"a//b\"", "record.s3.prefix"),
            ("uploads = 0", "record.s3.uploads"),
            ("part_bytes = 1000", "record.s3.part_bytes"),
        ] {
            let settings: S3 = toml::from_str(text).unwrap();
            assert_eq!(settings.check().unwrap_err().0, key, "{text}");
        }
        let text = r#"
            endpoint = "http://127.0.0.1:9000"
            bucket = "films"
            prefix = "a/b/"
            access_key = "me"
            secret_key = "nobody may know"
        "#;
        let settings: S3 = toml::from_str(text).unwrap();
        assert_eq!(settings.check(), Ok(()));
        assert!(settings.is_on() && !S3::default().is_on());
        assert!(!format!("{settings:?}").contains("nobody"));
    }
}
