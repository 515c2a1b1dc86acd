//! Where one segment ends and the next begins.

use super::cutter::Cutter;
use super::epoch::Epoch;
use super::splices::Splices;
use super::{DateRange, Place, Rendition, Segment, Settings};
use crate::hub::TrackSet;
use media::{AccessUnit, Codec, Data, Kind, Timebase, Track, TrackId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A segment may be longer than the target duration by this, and still be rounded to it (RFC 8216
/// section 4.3.3.1).
const ROUNDING: Duration = Duration::from_millis(490);

/// Ends of the leading track's segments that other tracks have not reached. A track that stands still
/// for longer than this many segments misses some.
const MAX_CUTS: usize = 8;

/// A track that is so far behind the newest is silent: players should not wait for it.
const SILENT: Duration = Duration::from_secs(5);

const SPLICES: Codec = Codec::Data(Data::Scte35);

/// Cuts the tracks of one stream.
#[derive(Debug)]
pub struct Segmenter {
    settings: Settings,
    cutters: Vec<Cutter>,
    /// Whole seconds that no segment exceeds when rounded; fixed with the leading track's first segment.
    target: Option<u32>,
    /// Where the other tracks have to cut, in microseconds.
    cuts: VecDeque<i64>,
    first_number: u64,
    epoch: Epoch,
    generation: Option<u64>,
    /// Tracks that the stream has now.
    present: Vec<TrackId>,
    /// Number of the segment that waits for a random access point, once that has been said.
    waiting: Option<u64>,
    /// Tracks that MP4 cannot carry as they are now.
    left_out: Vec<(TrackId, mp4::init::Error)>,
    /// Tracks of what happens beside pictures and sound.
    data: Vec<Track>,
    /// Number of the next thing that happens.
    next_event: u32,
    splices: Splices,
}

impl Segmenter {
    /// A segmenter whose first segments have the media sequence number `first_number`. One that is started
    /// again for a stream must begin above all it has given out before.
    pub fn new(settings: Settings, first_number: u64) -> Self {
        Self {
            settings,
            cutters: Vec::new(),
            target: None,
            cuts: VecDeque::new(),
            first_number,
            epoch: Epoch::default(),
            generation: None,
            present: Vec::new(),
            waiting: None,
            left_out: Vec::new(),
            data: Vec::new(),
            next_event: 0,
            splices: Splices::default(),
        }
    }

    /// One rendition per track that is carried, in the order of the tracks' IDs.
    pub fn renditions(&self) -> impl Iterator<Item = &Rendition> + Clone {
        self.cutters.iter().map(|cutter| &cutter.rendition)
    }

    /// The target duration in seconds, once the first segment is complete.
    pub const fn target(&self) -> Option<u32> {
        self.target
    }

    /// The tracks of what follows. Those that changed begin anew; a track that is gone stays as it was, and is
    /// silent.
    ///
    /// A track that MP4 cannot carry is left out, and its access units with it; the others go on. Returns
    /// why, once for each such track as long as the reason is the same.
    pub fn set_tracks(&mut self, tracks: &TrackSet) -> Vec<mp4::init::Error> {
        if self.generation.replace(tracks.generation) == Some(tracks.generation) {
            return Vec::new();
        }
        let number = self
            .lead()
            .map_or(self.first_number, |lead| lead.open_number);
        let told = std::mem::take(&mut self.left_out);
        self.present = tracks.tracks.iter().map(|track| track.id).collect();
        let is_told = |track: &&Track| super::scheme(&track.codec).is_some();
        self.data = tracks.tracks.iter().filter(is_told).cloned().collect();
        for track in tracks.tracks.iter().filter(|track| !is_told(track)) {
            if let Err(error) = self.set_track(track, number) {
                self.left_out.push((track.id, error));
            }
        }
        self.cutters.sort_by_key(|cutter| cutter.rendition.track.id);
        let news = self.left_out.iter().filter(|left| !told.contains(left));
        news.map(|(_, error)| error.clone()).collect()
    }

    /// Begins a track, or begins it anew if it changed.
    fn set_track(&mut self, track: &Track, number: u64) -> Result<(), mp4::init::Error> {
        if !super::carries(&track.codec) {
            return Err(mp4::init::Error::Codec {
                track: mp4::track_number(track.id),
                codec: track.codec.name(),
            });
        }
        let mut cutters = self.cutters.iter_mut();
        match cutters.find(|cutter| cutter.rendition.track.id == track.id) {
            Some(cutter) if cutter.rendition.track == *track => {}
            Some(cutter) => {
                cutter.epoch = self.epoch.get();
                cutter.change(track.clone())?;
            }
            None => {
                let cutter = Cutter::new(self.settings, track.clone(), number)?;
                self.cutters.push(cutter);
            }
        }
        Ok(())
    }

    /// The next access unit, which arrived at `now`. True when a part or segment has been completed.
    pub fn push(&mut self, unit: &AccessUnit, now: SystemTime) -> bool {
        if self.is_left_out(unit.track) {
            return false;
        }
        if self.data.iter().any(|track| track.id == unit.track) {
            self.note(unit);
            return false;
        }
        let leads = self.lead().is_some_and(|lead| lead.track.id == unit.track);
        let limit = self.limit();
        let (settings, cuts) = (self.settings, &mut self.cuts);
        let Some(cutter) = self
            .cutters
            .iter_mut()
            .find(|cutter| cutter.rendition.track.id == unit.track)
        else {
            return false;
        };
        let timebase = cutter.rendition.track.timebase;
        // What this unit completes began in front of it.
        cutter.epoch = self.epoch.get().or(cutter.epoch);
        cutter.captured = self.epoch.captured();
        if leads {
            self.epoch.learn(unit, timebase, now);
        }

        let before = (
            cutter.rendition.open_number,
            cutter.rendition.open_parts.len(),
        );
        let hole = cutter.complete_held(unit.dts);
        let elapsed = timebase.duration(cutter.elapsed());
        let micros = timebase.rescale(unit.dts, Timebase::MICROS);
        let due = if leads {
            // Behind a seam the clock on the wall has gone on further than the media's.
            let long_enough = elapsed + Duration::from_millis(1) >= settings.segment;
            unit.random_access && (long_enough || unit.discontinuity)
        } else {
            let reached = cuts.iter().take_while(|cut| **cut <= micros).count();
            cuts.drain(..reached);
            reached > 0
        };
        let too_long = elapsed >= limit;
        let too_large = cutter.open_bytes() > settings.max_bytes / 4;
        if cutter.elapsed() > 0 && (hole || due || too_long || too_large) {
            cutter.cut_segment();
            if leads {
                cuts.push_back(micros);
                if cuts.len() > MAX_CUTS {
                    cuts.pop_front();
                }
                let longest = elapsed.max(settings.segment).as_secs_f64();
                self.target = self.target.or_else(|| Some(longest.round() as u32));
            }
        }
        cutter.hold(unit.clone());
        before
            != (
                cutter.rendition.open_number,
                cutter.rendition.open_parts.len(),
            )
    }

    /// Something happens beside pictures and sound: it is told with the leading track, and of splices in playlists.
    fn note(&mut self, unit: &AccessUnit) {
        let lead = self.lead().map(|lead| lead.track.id);
        let track = self.data.iter().find(|track| track.id == unit.track);
        let scheme = track.and_then(|track| super::scheme(&track.codec));
        let (Some(lead), Some(track), Some(scheme)) = (lead, track, scheme) else {
            return;
        };
        let micros = track.timebase.rescale(unit.pts, Timebase::MICROS);
        if let Some(epoch) = self.epoch.get().filter(|_| track.codec == SPLICES) {
            let base = SystemTime::UNIX_EPOCH + epoch + Timebase::MICROS.duration(micros);
            self.splices.push(&unit.payload, base);
        }
        let id = self.next_event;
        self.next_event = id.wrapping_add(1);
        let mut cutters = self.cutters.iter_mut();
        if let Some(cutter) = cutters.find(|cutter| cutter.rendition.track.id == lead) {
            cutter.note(scheme, id, micros, unit.payload.clone());
        }
    }

    /// How long after capture access units arrive at best, as far as the source tells.
    pub fn lag(&self) -> Duration {
        self.epoch.lag()
    }

    /// Ranges of dates of what happens, oldest first.
    pub fn date_ranges(&self) -> impl Iterator<Item = &DateRange> {
        self.splices.ranges()
    }

    /// What the messages are that come with the leading track.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        let tracks = self.data.iter();
        tracks.filter_map(|track| super::scheme(&track.codec))
    }

    /// Whether the segment that is open has become longer than it should be for want of a random access point.
    /// True once for each such segment.
    pub fn wants_random_access(&mut self) -> bool {
        let longest = match self.target {
            Some(target) => Duration::from_secs(u64::from(target)),
            None => self.settings.segment * 2,
        };
        let lead = self.lead().map(|lead| (lead.track.id, lead.open_number));
        let Some((lead, number)) = lead else {
            return false;
        };
        let mut cutters = self.cutters.iter();
        let open = cutters.find(|cutter| cutter.rendition.track.id == lead);
        let is_late = open.is_some_and(|open| {
            let timebase = open.rendition.track.timebase;
            timebase.duration(open.elapsed()) > longest
        });
        is_late && self.waiting.replace(number) != Some(number)
    }

    /// A segment that is to be put on the disk, with its track: of those that are not there, the first of a track. None
    /// where no disk is to be had, and when all are there.
    pub fn next_to_store(&self) -> Option<(TrackId, Arc<Segment>)> {
        let mut cutters = self.cutters.iter();
        cutters.find_map(|cutter| {
            let segment = cutter.next_to_store()?;
            Some((cutter.rendition.track.id, segment.clone()))
        })
    }

    /// The segment of that number has been put on the disk, and may go from memory.
    pub fn stored(&mut self, track: TrackId, number: u64, place: Place) {
        let mut cutters = self.cutters.iter_mut();
        if let Some(cutter) = cutters.find(|cutter| cutter.rendition.track.id == track) {
            cutter.stored(number, place);
        }
    }

    /// The stream is over: completes what is open.
    pub fn finish(&mut self) {
        for cutter in &mut self.cutters {
            cutter.epoch = self.epoch.get();
            cutter.close_segment();
        }
        if self.target.is_none() {
            let longest = self
                .renditions()
                .flat_map(|rendition| &rendition.segments)
                .map(|segment| segment.duration)
                .max();
            self.target = longest.map(|longest| longest.as_secs_f64().round().max(1.0) as u32);
        }
    }

    /// Longest that a segment may be without a random access point at its end.
    fn limit(&self) -> Duration {
        // One access unit more always fits in the rest of the rounding.
        match self.target {
            Some(target) => {
                Duration::from_secs(u64::from(target)) + ROUNDING - Duration::from_millis(110)
            }
            None => self.settings.max_segment,
        }
    }

    /// The track at whose random access points segments end.
    fn lead(&self) -> Option<&Rendition> {
        let mut carried = self
            .renditions()
            .filter(|rendition| !self.is_left_out(rendition.track.id))
            .filter(|rendition| self.present.contains(&rendition.track.id));
        let first = carried.clone().next();
        let video = carried.find(|rendition| rendition.track.kind() == Kind::Video);
        // One that was carried once still has its numbers.
        video.or(first).or_else(|| self.renditions().next())
    }

    fn is_left_out(&self, track: TrackId) -> bool {
        self.left_out.iter().any(|(left, _)| *left == track)
    }

    /// Whether nothing comes of a track while others go on: it is gone, or far behind.
    pub fn is_silent(&self, track: TrackId) -> bool {
        let newest = self.cutters.iter().filter_map(Cutter::newest).max();
        let mut cutters = self.cutters.iter();
        let own = cutters
            .find(|cutter| cutter.rendition.track.id == track)
            .and_then(Cutter::newest);
        let behind = newest
            .zip(own)
            .map(|(newest, own)| newest.saturating_sub(own));
        !self.present.contains(&track) || behind.is_some_and(|behind| behind > SILENT)
    }

    /// The rendition of a track.
    pub fn rendition(&self, track: TrackId) -> Option<&Rendition> {
        self.renditions()
            .find(|rendition| rendition.track.id == track)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Disk;
    use bytes::Bytes;
    use media::codec::{aac, g711, h264};

    const VIDEO: TrackId = TrackId(0);
    const AUDIO: TrackId = TrackId(1);
    const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x50];

    fn tracks(generation: u64, with_video: bool) -> TrackSet {
        let video = h264::Config::new(
            vec![Bytes::from_static(SPS)],
            vec![Bytes::from_static(&[0x68, 0xeb])],
        )
        .unwrap();
        let audio = aac::Config::low_complexity(48_000, 2).unwrap();
        let mut tracks = vec![Track {
            id: AUDIO,
            timebase: audio.sample_rate,
            codec: Codec::Aac(audio),
        }];
        if with_video {
            tracks.insert(
                0,
                Track {
                    id: VIDEO,
                    timebase: Timebase::MILLIS,
                    codec: Codec::H264(video),
                },
            );
        }
        TrackSet { generation, tracks }
    }

    fn unit(track: TrackId, dts: i64, random_access: bool, bytes: usize) -> AccessUnit {
        AccessUnit {
            track,
            dts,
            pts: dts,
            random_access,
            disposable: false,
            discontinuity: false,
            capture: None,
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    /// 25 pictures per second with a random access point every `gop`, AAC beside it, for `seconds`.
    fn run(segmenter: &mut Segmenter, seconds: i64, gop: i64) {
        let mut audio = 0;
        for picture in 0..seconds * 25 {
            let millis = picture * 40;
            while audio * 1_024 * 1_000 / 48_000 <= millis {
                segmenter.push(
                    &unit(AUDIO, audio * 1_024, true, 200),
                    at(audio * 1_024 * 1_000 / 48_000),
                );
                audio += 1;
            }
            segmenter.push(&unit(VIDEO, millis, picture % gop == 0, 1_000), at(millis));
        }
    }

    fn at(millis: i64) -> SystemTime {
        SystemTime::UNIX_EPOCH
            + Duration::from_secs(1_000_000)
            + Duration::from_millis(millis as u64)
    }

    fn started(with_video: bool) -> Segmenter {
        let mut segmenter = Segmenter::new(Settings::default(), 100);
        assert_eq!(segmenter.set_tracks(&tracks(1, with_video)), []);
        segmenter
    }

    fn durations(segmenter: &Segmenter, track: TrackId) -> Vec<u128> {
        let rendition = segmenter.rendition(track).unwrap();
        rendition
            .segments
            .iter()
            .map(|segment| segment.duration.as_millis())
            .collect()
    }

    #[test]
    fn segments_end_at_random_access_points_on_all_tracks() {
        let mut segmenter = started(true);
        run(&mut segmenter, 11, 25);
        assert_eq!(durations(&segmenter, VIDEO), [2_000; 5]);
        assert_eq!(segmenter.target(), Some(2));
        for millis in durations(&segmenter, AUDIO) {
            assert!((1_970..=2_030).contains(&millis), "{millis}");
        }
        let (video, audio) = (
            segmenter.rendition(VIDEO).unwrap(),
            segmenter.rendition(AUDIO).unwrap(),
        );
        assert_eq!(video.open_number, 105);
        assert_eq!(video.segments.len(), audio.segments.len());
        for segment in &video.segments {
            assert!(segment.parts[0].independent);
            assert!(
                segment
                    .parts
                    .iter()
                    .all(|part| part.duration <= Duration::from_millis(500))
            );
            // Up to the rounding of the audio's arrival times.
            let begun = segment.program_date_time + Duration::from_millis(2);
            let expected = at((segment.number as i64 - 100) * 2_000);
            assert!((expected..expected + Duration::from_millis(3)).contains(&begun));
        }
        assert!(!video.segments[0].parts[1].independent);
    }

    #[test]
    fn behind_a_seam_a_segment_begins_at_its_own_time() {
        let mut segmenter = started(true);
        run(&mut segmenter, 5, 25);
        // Seven seconds later, captured half a second before it arrives.
        for picture in 0..75 {
            let time = 5_000 + picture * 40;
            let mut unit = unit(VIDEO, time, picture % 25 == 0, 100);
            unit.pts += 80;
            unit.discontinuity = picture == 0;
            unit.capture = Some(at(time + 7_000));
            segmenter.push(&unit, at(time + 7_500));
        }
        let video = segmenter.rendition(VIDEO).unwrap();
        let begun = video.segments.iter().map(|segment| {
            let wall = segment.program_date_time.duration_since(at(0));
            (wall.unwrap().as_millis(), segment.duration.as_millis())
        });
        let begun: Vec<_> = begun.collect();
        assert_eq!(begun[..3], [(0, 2_000), (2_000, 2_000), (4_000, 1_000)]);
        assert_eq!(begun[3], (12_000, 2_000));
        assert!(video.segments.iter().all(|segment| !segment.discontinuity));
        let told = |segment: &Segment| segment.parts[0].bytes[4..8] == *b"prft";
        let told: Vec<bool> = video.segments.iter().map(|segment| told(segment)).collect();
        assert_eq!(told[..4], [false, false, false, true]);
    }

    #[test]
    fn a_gop_longer_than_the_target_is_cut_without_one() {
        let mut segmenter = started(true);
        run(&mut segmenter, 31, 250);
        let durations = durations(&segmenter, VIDEO);
        assert_eq!(durations[..2], [6_000, 4_000]);
        assert!(
            durations.iter().all(|millis| *millis < 6_500),
            "{durations:?}"
        );
        assert_eq!(segmenter.target(), Some(6));
    }

    #[test]
    fn a_random_access_point_is_wanted_once_for_each_segment_that_is_too_long() {
        let mut segmenter = started(true);
        run(&mut segmenter, 5, 50);
        assert_eq!(segmenter.target(), Some(2));
        assert!(!segmenter.wants_random_access());
        let mut wishes = Vec::new();
        for millis in (5_000..7_400).step_by(40) {
            segmenter.push(&unit(VIDEO, millis, millis == 6_600, 1_000), at(millis));
            if segmenter.wants_random_access() {
                wishes.push(millis);
            }
        }
        // The open segment began at 4 s and is told its length by the unit behind it.
        assert_eq!(wishes, [6_040]);
    }

    #[test]
    fn a_segment_that_begins_with_intra_refresh_is_not_called_independent() {
        let begins = |payload: &'static [u8]| {
            let mut segmenter = started(true);
            for picture in 0..60 {
                let mut unit = unit(VIDEO, picture * 40, picture % 50 == 0, 0);
                unit.payload = Bytes::from_static(payload);
                segmenter.push(&unit, at(picture * 40));
            }
            let video = segmenter.rendition(VIDEO).unwrap();
            video.segments[0].parts[0].independent
        };
        assert!(begins(&[0, 0, 0, 1, 0x65]));
        let open = &[0, 0, 0, 4, 6, 6, 1, 0xc4, 0, 0, 0, 1, 0x41];
        let refresh = &[0, 0, 0, 5, 6, 6, 2, 0x04, 0xa4, 0, 0, 0, 1, 0x41];
        assert!(begins(open));
        assert!(!begins(refresh));
    }

    #[test]
    fn changes_of_tracks_begin_anew_and_what_is_gone_is_not_waited_for() {
        type Change = dyn Fn(&mut Vec<Track>);
        let changed = |generation, change: &Change| {
            let mut set = tracks(generation, true);
            change(&mut set.tracks);
            set
        };
        let other_size = |tracks: &mut Vec<Track>| {
            if let Codec::H264(config) = &mut tracks[0].codec {
                config.pps = vec![Bytes::from_static(&[0x68, 1])];
            }
        };
        let other_rate = |tracks: &mut Vec<Track>| {
            let audio = aac::Config::low_complexity(44_100, 1).unwrap();
            tracks[1].timebase = audio.sample_rate;
            tracks[1].codec = Codec::Aac(audio);
        };
        let no_sound = |tracks: &mut Vec<Track>| drop(tracks.pop());
        let no_pictures = |tracks: &mut Vec<Track>| drop(tracks.remove(0));
        // Which tracks have another initialization section, and which are silent.
        let cases: [(&Change, _, _); 4] = [
            (&other_size, [true, false], [false, false]),
            (&other_rate, [false, true], [false, false]),
            (&no_sound, [false, false], [false, true]),
            (&no_pictures, [false, false], [true, false]),
        ];
        for (change, anew, silent) in cases {
            let mut segmenter = started(true);
            run(&mut segmenter, 5, 25);
            let inits = |segmenter: &Segmenter| {
                [VIDEO, AUDIO].map(|track| segmenter.rendition(track).unwrap().init.number)
            };
            let before = inits(&segmenter);
            assert!(
                ![VIDEO, AUDIO]
                    .map(|track| segmenter.is_silent(track))
                    .contains(&true)
            );
            assert_eq!(segmenter.set_tracks(&changed(2, change)), []);
            let after = inits(&segmenter);
            assert_eq!([0, 1].map(|at| before[at] != after[at]), anew);
            assert_eq!(
                [VIDEO, AUDIO].map(|track| segmenter.is_silent(track)),
                silent
            );
            for rendition in segmenter
                .renditions()
                .filter(|rendition| rendition.init.number > 100)
            {
                assert!(rendition.open_discontinuity);
            }
        }
    }

    #[test]
    fn sound_that_stops_is_silent_and_sound_that_comes_late_joins_in() {
        let mut segmenter = Segmenter::new(Settings::default(), 100);
        let mut pictures_alone = tracks(1, true);
        pictures_alone.tracks.pop();
        assert_eq!(segmenter.set_tracks(&pictures_alone), []);
        let picture = |millis: i64| unit(VIDEO, millis, millis % 1_000 == 0, 1_000);
        let frame = |millis: i64| unit(AUDIO, millis * 48, true, 200);
        for millis in (0..5_000).step_by(40) {
            segmenter.push(&picture(millis), at(millis));
        }
        assert_eq!(segmenter.set_tracks(&tracks(2, true)), []);
        for millis in (5_000..12_000).step_by(20) {
            if millis % 40 == 0 {
                segmenter.push(&picture(millis), at(millis));
            }
            segmenter.push(&frame(millis), at(millis));
        }
        assert!(!segmenter.is_silent(AUDIO));
        let late = segmenter.rendition(AUDIO).unwrap();
        assert_eq!(late.segments[0].number, 102);
        for millis in (12_000..18_000).step_by(40) {
            assert!(!segmenter.is_silent(AUDIO) || millis > 16_900, "{millis}");
            segmenter.push(&picture(millis), at(millis));
        }
        assert!(segmenter.is_silent(AUDIO) && !segmenter.is_silent(VIDEO));
    }

    #[test]
    fn audio_alone_leads_itself() {
        let mut segmenter = started(false);
        for frame in 0..500 {
            segmenter.push(
                &unit(AUDIO, frame * 1_024, true, 200),
                at(frame * 1_024 / 48),
            );
        }
        assert!(
            durations(&segmenter, AUDIO)
                .iter()
                .all(|millis| (2_000..2_030).contains(millis))
        );
        assert_eq!(segmenter.target(), Some(2));
    }

    #[test]
    fn old_segments_are_forgotten_by_number_and_by_bytes() {
        let mut segmenter = started(true);
        run(&mut segmenter, 60, 25);
        let video = segmenter.rendition(VIDEO).unwrap();
        assert_eq!((video.segments.len(), video.listed().0.count()), (12, 7));
        assert!(video.segment(100).is_none());
        assert_eq!(
            video.segment(video.open_number - 1).unwrap().number,
            video.open_number - 1
        );

        let settings = Settings {
            max_bytes: 200_000,
            ..Settings::default()
        };
        let mut segmenter = Segmenter::new(settings, 0);
        assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
        run(&mut segmenter, 60, 25);
        let bytes: usize = segmenter
            .rendition(VIDEO)
            .unwrap()
            .segments
            .iter()
            .map(|segment| segment.bytes)
            .sum();
        assert!(bytes <= 200_000, "{bytes}");
    }

    #[test]
    fn what_happens_beside_is_told_with_the_pictures() {
        let mut segmenter = Segmenter::new(Settings::default(), 0);
        let mut set = tracks(1, true);
        for (id, data) in [(7, Data::Id3), (8, Data::Scte35)] {
            set.tracks.push(Track {
                id: TrackId(id),
                timebase: Timebase::VIDEO,
                codec: Codec::Data(data),
            });
        }
        assert_eq!(segmenter.set_tracks(&set), []);
        assert_eq!(segmenter.schemes().count(), 2);
        let mut said = unit(TrackId(7), 5 * 90_000, true, 0);
        said.payload = Bytes::from_static(b"ID3\x04");
        let section = crate::segment::splices::tests::section(6, &[0xfe, 0, 1, 0x5f, 0x90]);
        for millis in (0..6_000).step_by(40) {
            segmenter.push(&unit(VIDEO, millis, millis % 1_000 == 0, 1_000), at(millis));
            if millis == 4_000 {
                segmenter.push(&said, at(millis));
                said.track = TrackId(8);
                said.payload = section.clone();
                segmenter.push(&said, at(millis));
            }
        }
        let video = segmenter.rendition(VIDEO).unwrap();
        let parts = || {
            video
                .segments
                .iter()
                .flat_map(|segment| &segment.parts)
                .chain(&video.open_parts)
        };
        let told: Vec<_> = parts()
            .filter(|part| part.bytes[4..8] == *b"emsg")
            .collect();
        assert_eq!(told.len(), 1);
        let bytes = &told[0].bytes;
        assert_eq!(bytes[12..16], 1_000u32.to_be_bytes());
        assert_eq!(bytes[16..24], 5_000u64.to_be_bytes());
        assert!(bytes[24..].windows(4).any(|four| four == b"ID3\x04"));
        let range = segmenter.date_ranges().next().unwrap();
        assert_eq!(
            (range.start, range.command.as_deref()),
            (at(6_000), Some(&section[..]))
        );
    }

    #[test]
    fn segments_of_equal_length_are_known_until_one_is_longer() {
        let mut segmenter = started(true);
        run(&mut segmenter, 9, 50);
        let grid = |segmenter: &Segmenter, track| segmenter.rendition(track).unwrap().grid.unwrap();
        let video = grid(&segmenter, VIDEO);
        assert_eq!(
            (video.number, video.start, video.ticks, video.count),
            (100, 0, 2_000, 4)
        );
        assert_eq!(video.program_date_time, at(0));
        assert_eq!(video.begins(103), 6_000);
        assert!(grid(&segmenter, AUDIO).count >= 3);
        // From 8 s on a random access point each three seconds.
        for millis in (9_000..15_000).step_by(40) {
            let random_access = (millis - 8_000) % 3_000 < 40;
            segmenter.push(&unit(VIDEO, millis, random_access, 1_000), at(millis));
        }
        let video = grid(&segmenter, VIDEO);
        assert!(video.number >= 104 && video.count <= 2, "{video:?}");
    }

    #[test]
    fn a_window_is_listed_as_far_as_memory_reaches() {
        let window = Duration::from_secs(60);
        let settings = Settings {
            window,
            ..Settings::default()
        };
        let listed = |settings| {
            let mut segmenter = Segmenter::new(settings, 0);
            assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
            run(&mut segmenter, 100, 25);
            let video = segmenter.rendition(VIDEO).unwrap();
            let durations = video.listed().0.map(|segment| segment.duration);
            (durations.sum::<Duration>(), video.segments.len())
        };
        assert_eq!(listed(settings), (window, 35));
        let max_bytes = 500_000;
        let (length, count) = listed(Settings {
            max_bytes,
            ..settings
        });
        assert!(length < window && count < 12, "{length:?} in {count}");
    }

    #[test]
    fn what_is_on_the_disk_is_forgotten_by_memory_and_stays_listed() {
        let window = Duration::from_secs(60);
        let settings = |max_disk_bytes| Settings {
            window,
            max_bytes: 1 << 20,
            max_disk_bytes,
            ..Settings::default()
        };
        let cut = |settings: Settings| {
            let folder = tempfile::tempdir().unwrap();
            let mut disk = Disk::new(folder.path().into());
            let mut segmenter = Segmenter::new(settings, 0);
            assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
            for picture in 0..2_500 {
                let millis = picture * 40;
                let unit = unit(VIDEO, millis, picture % 25 == 0, 4_000);
                segmenter.push(&unit, at(millis));
                while let Some((track, segment)) = segmenter.next_to_store() {
                    let place = disk.put(&segment).unwrap();
                    segmenter.stored(track, segment.number, place);
                }
            }
            assert_eq!(folder.path().read_dir().unwrap().count(), 0);
            segmenter.rendition(VIDEO).unwrap().clone()
        };
        let video = cut(settings(1 << 30));
        let listed: Vec<_> = video.listed().0.collect();
        assert_eq!(listed.len(), 30);
        let in_memory = video.segments.iter().filter(|one| !one.parts.is_empty());
        let in_memory: usize = in_memory.map(|one| one.bytes).sum();
        assert!((1..=1 << 20).contains(&in_memory), "{in_memory}");
        // It reads as it was cut.
        let (oldest, newest) = (listed[0], listed[29]);
        assert!(oldest.parts.is_empty());
        let mut read = vec![0; oldest.bytes];
        oldest.place.as_ref().unwrap().read(0, &mut read).unwrap();
        assert_eq!(read[4..8], *b"moof");
        let cut_bytes: Vec<u8> = newest
            .parts
            .iter()
            .flat_map(|part| part.bytes.to_vec())
            .collect();
        let mut read = vec![0; newest.bytes - 100];
        newest.place.as_ref().unwrap().read(100, &mut read).unwrap();
        assert!(read == cut_bytes[100..]);
        assert!(newest.place.as_ref().unwrap().read(101, &mut read).is_err());
        // The disk has a bound of its own.
        let video = cut(settings(3 << 20));
        let on_disk: usize = video.segments.iter().map(|one| one.bytes).sum();
        assert!((2 << 20..4 << 20).contains(&on_disk), "{on_disk}");
    }

    #[test]
    fn units_without_time_between_them_do_not_pile_up() {
        let settings = Settings {
            max_bytes: 1 << 20,
            ..Settings::default()
        };
        let mut segmenter = Segmenter::new(settings, 0);
        assert_eq!(segmenter.set_tracks(&tracks(1, true)), []);
        for dts in 0..2_000 {
            segmenter.push(&unit(VIDEO, dts, false, 10_000), at(0));
            let video = segmenter.rendition(VIDEO).unwrap();
            let open: usize = video.open_parts.iter().map(|part| part.bytes.len()).sum();
            let bytes: usize = video.segments.iter().map(|segment| segment.bytes).sum();
            assert!(bytes + open < 2 << 20, "{bytes} + {open}");
        }
    }

    #[test]
    fn a_hole_ends_the_segment_and_keeps_the_times() {
        let mut segmenter = started(true);
        run(&mut segmenter, 3, 25);
        segmenter.push(&unit(VIDEO, 8_000, true, 1_000), at(8_000));
        let video = segmenter.rendition(VIDEO).unwrap();
        assert_eq!(durations(&segmenter, VIDEO), [2_000, 1_000]);
        assert_eq!(video.segments.back().unwrap().number, 101);
    }

    /// A track set in which the track is G.711.
    fn with_g711(generation: u64, track: TrackId) -> TrackSet {
        let mut tracks = tracks(generation, true);
        for track in tracks.tracks.iter_mut().filter(|found| found.id == track) {
            track.codec = Codec::G711 {
                law: g711::Law::Mu,
                sample_rate: track.timebase,
                channels: 1,
            };
        }
        tracks
    }

    #[test]
    fn a_track_that_cannot_be_carried_is_left_out_and_told_once() {
        let mut segmenter = Segmenter::new(Settings::default(), 100);
        let told = segmenter.set_tracks(&with_g711(1, AUDIO));
        assert_eq!(told.len(), 1);
        assert_eq!(
            told[0].to_string(),
            "track 2: PCMU cannot be carried in MP4"
        );
        assert_eq!(segmenter.set_tracks(&with_g711(2, AUDIO)), []);
        run(&mut segmenter, 5, 25);
        assert_eq!(durations(&segmenter, VIDEO), [2_000; 2]);
        assert!(segmenter.rendition(AUDIO).is_none());
        // It comes when it can be carried.
        assert_eq!(segmenter.set_tracks(&tracks(3, true)), []);
        assert_eq!(segmenter.rendition(AUDIO).unwrap().open_number, 102);
    }

    #[test]
    fn a_track_that_can_no_longer_be_carried_stays_as_it_was() {
        let mut segmenter = started(true);
        run(&mut segmenter, 5, 25);
        let before = durations(&segmenter, VIDEO);
        assert_eq!(segmenter.set_tracks(&with_g711(2, VIDEO)).len(), 1);
        let closed = segmenter.rendition(VIDEO).unwrap().open_number;
        for frame in 250..700 {
            let time = frame * 1_024;
            segmenter.push(&unit(AUDIO, time, true, 200), at(time / 48));
            segmenter.push(&unit(VIDEO, time / 48, true, 1_000), at(time / 48));
        }
        let video = segmenter.rendition(VIDEO).unwrap();
        assert_eq!(video.open_number, closed);
        assert_eq!(durations(&segmenter, VIDEO)[..2], before[..]);
        // The sound leads itself now.
        let audio = durations(&segmenter, AUDIO);
        assert!(audio.len() > 5, "{audio:?}");
        assert!(
            audio[4..]
                .iter()
                .all(|millis| (1_970..2_100).contains(millis))
        );
    }

    #[test]
    fn another_configuration_is_a_discontinuity_with_its_own_init() {
        let mut segmenter = started(true);
        run(&mut segmenter, 3, 25);
        let mut changed = tracks(2, true);
        changed.tracks[1].codec = Codec::Aac(aac::Config::low_complexity(48_000, 1).unwrap());
        assert_eq!(segmenter.set_tracks(&changed), []);
        segmenter.push(&unit(AUDIO, 3 * 48_000, true, 10), at(3_000));
        segmenter.push(&unit(AUDIO, 3 * 48_000 + 1_024, true, 10), at(3_021));
        segmenter.finish();
        let audio = segmenter.rendition(AUDIO).unwrap();
        let last = audio.segments.back().unwrap();
        assert!(last.discontinuity && last.init.number == 102);
        assert!(
            !segmenter
                .rendition(VIDEO)
                .unwrap()
                .segments
                .back()
                .unwrap()
                .discontinuity
        );
    }

    #[test]
    fn the_end_completes_everything() {
        let mut segmenter = started(true);
        run(&mut segmenter, 1, 25);
        assert_eq!(segmenter.target(), None);
        segmenter.finish();
        assert_eq!(durations(&segmenter, VIDEO), [1_000]);
        assert_eq!(segmenter.target(), Some(1));
    }
}
