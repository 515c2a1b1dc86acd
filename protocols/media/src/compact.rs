//! What is kept of something larger.

use bytes::Bytes;

/// A part of something that has `whole` bytes, to be kept when the rest of it is not: as it is, sharing their memory, where
/// it is at least half of it, and otherwise a copy. So what is kept never holds more than twice its own memory, and whoever
/// counts its bytes counts what it costs.
pub fn compact(part: Bytes, whole: usize) -> Bytes {
    if part.len() < whole / 2 {
        Bytes::copy_from_slice(&part)
    } else {
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_shared_and_less_is_copied() {
        let whole = Bytes::from(vec![7; 100]);
        for (length, shared) in [(100, true), (50, true), (49, false), (0, false)] {
            let part = compact(whole.slice(..length), whole.len());
            assert_eq!(part, vec![7; length]);
            assert_eq!(part.as_ptr() == whole.as_ptr(), shared, "{length}");
        }
    }
}
