//! Pictures that stand for broadcasts: uploaded, kept as files under names of the server's own, shown as they came.

use super::{Broadcast, Control, ControlError};
use crate::hub::StreamName;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest picture, in bytes.
pub const MAX_PICTURE: usize = 8 << 20;

/// The folder with the files.
#[derive(Debug)]
pub(super) struct Pictures {
    folder: PathBuf,
}

impl Pictures {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    async fn keep(&self, file: &str, picture: &[u8]) -> std::io::Result<()> {
        tokio::fs::create_dir_all(&self.folder).await?;
        tokio::fs::write(self.folder.join(file), picture).await
    }

    /// Removes a file, if there is one.
    pub(super) async fn forget(&self, file: Option<&str>) {
        let Some(file) = file else { return };
        if let Err(error) = tokio::fs::remove_file(self.folder.join(file)).await {
            tracing::warn!(%error, "cannot remove the file of a picture");
        }
    }
}

impl Control {
    /// Puts a picture in the place of the one that a broadcast has, or removes that.
    ///
    /// # Errors
    /// When there is no such broadcast, it is no picture, or it cannot be kept.
    pub async fn set_picture(
        &self,
        name: &StreamName,
        picture: Option<&[u8]>,
    ) -> Result<(), ControlError> {
        let ending = picture.map(|picture| ending(picture).ok_or(ControlError::Picture));
        let name_of = |ending| format!("{}.{ending}", super::vod::random_text(24));
        let file = ending.transpose()?.map(name_of);
        if let Some((file, picture)) = file.as_deref().zip(picture) {
            self.shared.pictures.keep(file, picture).await?;
        }
        let mut before = None;
        let change = |broadcast: &mut Broadcast| {
            before = std::mem::replace(&mut broadcast.thumbnail, file.clone());
            broadcast.updated = Some(SystemTime::now());
            Ok(())
        };
        let changed = self.change_asked(name, change).await;
        let gone = if changed.is_ok() {
            before
        } else {
            file.clone()
        };
        self.shared.pictures.forget(gone.as_deref()).await;
        changed
    }

    /// The file of a broadcast's picture, and its media type.
    pub fn picture(&self, app: &str, id: &str) -> Option<(PathBuf, &'static str)> {
        let name = StreamName::new(app, id).ok()?;
        let file = self.lock().get(&name)?.thumbnail.clone()?;
        let media_type = match file.rsplit_once('.')?.1 {
            "png" => "image/png",
            "webp" => "image/webp",
            _ => "image/jpeg",
        };
        Some((self.shared.pictures.folder.join(file), media_type))
    }
}

/// What a picture is, by its first bytes.
fn ending(picture: &[u8]) -> Option<&'static str> {
    match picture {
        [0xff, 0xd8, 0xff, ..] => Some("jpg"),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("png"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"\xff\xd8\xff\xe0"[..], Some("jpg")),
            (b"\x89PNG\r\n\x1a\n", Some("png")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("webp")),
            (b"RIFF\0\0\0\0AVI ", None),
            (b"<svg>", None),
            (b"\xff\xd8", None),
            (b"", None),
        ] {
            assert_eq!(ending(bytes), expected, "{bytes:?}");
        }
    }
}
