//! The delivery directives: query parameters by which a player asks for a playlist that has a certain
//! segment or part, and waits for it (second edition of RFC 8216, section 6.2.5). Read [`Directives`].
//!
//! Whether the segment is near enough to wait for is not known here; a request far ahead is the caller's
//! to refuse.

/// The highest media sequence number that is taken: what a JavaScript player can count to.
pub const MAX_MSN: u64 = (1 << 53) - 1;

/// The highest part number that is taken.
pub const MAX_PART: u64 = 65_535;

/// What a request for a media playlist asks for. All parameters that do not begin with `_HLS_` belong to
/// others (tokens, session ids) and are ignored, and so are directives of the future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `_HLS_msn`: answer when the playlist has the segment of this number, or, with `part`, that part of it.
    pub msn: Option<u64>,
    /// `_HLS_part`: number of a part within segment `msn`, from 0. Never without `msn`.
    pub part: Option<u64>,
    /// `_HLS_skip`: what a delta update may leave out.
    pub skip: Option<Skip>,
}

/// What a delta update may leave out. Playlists that do not announce CAN-SKIP-UNTIL are sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// `YES`: older segments.
    Segments,
    /// `v2`: older segments and date ranges.
    SegmentsAndDateRanges,
}

/// Why directives were refused. The texts are fit to be sent to the player with HTTP status 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A directive was given twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A value is not a decimal integer.
    #[error("{0} is not a decimal integer")]
    NotANumber(&'static str),
    /// A value is above its bound.
    #[error("{name} is greater than {max}")]
    TooLarge {
        /// The directive.
        name: &'static str,
        /// Its bound, [`MAX_MSN`] or [`MAX_PART`].
        max: u64,
    },
    /// A part without a segment.
    #[error("_HLS_part needs _HLS_msn")]
    PartWithoutMsn,
    /// Neither `YES` nor `v2`.
    #[error("_HLS_skip is neither YES nor v2")]
    Skip,
}

const MSN: &str = "_HLS_msn";
const PART: &str = "_HLS_part";
const SKIP: &str = "_HLS_skip";

impl Directives {
    /// Reads the query of a URL, without its question mark.
    ///
    /// # Errors
    /// When a directive cannot be followed; see [`Error`].
    pub fn parse(query: &str) -> Result<Self, Error> {
        let mut directives = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                MSN => once(&mut directives.msn, MSN, number(value, MSN, MAX_MSN)?)?,
                PART => once(&mut directives.part, PART, number(value, PART, MAX_PART)?)?,
                SKIP => {
                    let skip = match value {
                        "YES" => Skip::Segments,
                        "v2" => Skip::SegmentsAndDateRanges,
                        _ => return Err(Error::Skip),
                    };
                    once(&mut directives.skip, SKIP, skip)?;
                }
                _ => {}
            }
        }
        if directives.part.is_some() && directives.msn.is_none() {
            return Err(Error::PartWithoutMsn);
        }
        Ok(directives)
    }
}

fn once<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Twice(name)),
    }
}

/// A decimal-integer (RFC 8216 section 4.2): digits alone, without a sign.
fn number(value: &str, name: &'static str, max: u64) -> Result<u64, Error> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::NotANumber(name));
    }
    value
        .parse()
        .ok()
        .filter(|number| *number <= max)
        .ok_or(Error::TooLarge { name, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_players_ask() {
        let directives = |msn, part, skip| Ok(Directives { msn, part, skip });
        let large = |name, max| Err(Error::TooLarge { name, max });
        let cases = [
            ("", directives(None, None, None)),
            ("token=a=b&_HLS_other=1&&=", directives(None, None, None)),
            ("_HLS_msn=12", directives(Some(12), None, None)),
            (
                "a=b&_HLS_part=3&_HLS_msn=0012",
                directives(Some(12), Some(3), None),
            ),
            (
                "_HLS_skip=YES",
                directives(None, None, Some(Skip::Segments)),
            ),
            (
                "_HLS_msn=1&_HLS_skip=v2",
                directives(Some(1), None, Some(Skip::SegmentsAndDateRanges)),
            ),
            (
                "_HLS_msn=9007199254740991&_HLS_part=65535",
                directives(Some(MAX_MSN), Some(MAX_PART), None),
            ),
            ("_HLS_msn=9007199254740992", large(MSN, MAX_MSN)),
            ("_HLS_msn=99999999999999999999999", large(MSN, MAX_MSN)),
            ("_HLS_msn=1&_HLS_part=65536", large(PART, MAX_PART)),
            ("_HLS_msn=", Err(Error::NotANumber(MSN))),
            ("_HLS_msn", Err(Error::NotANumber(MSN))),
            ("_HLS_msn=-1", Err(Error::NotANumber(MSN))),
            ("_HLS_msn=+1", Err(Error::NotANumber(MSN))),
            ("_HLS_msn=1&_HLS_part=a", Err(Error::NotANumber(PART))),
            ("_HLS_msn=1&_HLS_msn=1", Err(Error::Twice(MSN))),
            ("_HLS_skip=YES&_HLS_skip=v2", Err(Error::Twice(SKIP))),
            ("_HLS_part=1", Err(Error::PartWithoutMsn)),
            ("_HLS_skip=NO", Err(Error::Skip)),
        ];
        for (query, expected) in cases {
            assert_eq!(Directives::parse(query), expected, "{query}");
        }
    }

    #[test]
    fn errors_are_words() {
        let error = Directives::parse("_HLS_msn=1&_HLS_part=70000").unwrap_err();
        assert_eq!(error.to_string(), "_HLS_part is greater than 65535");
    }
}
