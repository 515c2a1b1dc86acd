//! Decoding times, which RTP does not carry: its pictures come in decoding order with presentation times.
//!
//! Without reordering, both are the same, which is what nearly all cameras send. A picture that is presented
//! before one that came earlier shows that a decoder holds some back. Then a picture's decoding time is the
//! smallest presentation time of the last few pictures that has not been given out: the presentation times
//! in their order, late by as many pictures as are held back. How many that is, is learnt from the pictures,
//! so that those in front of the first reordered one may be mended by the stream's timeline.

/// Most pictures that a decoder of H.264 or H.265 holds back.
const MAX_DEPTH: usize = 16;

/// Gives pictures their decoding times.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Presentation times not given out, ascending; as many as are held back, between calls.
    waiting: Vec<i64>,
    /// Presentation times of the last pictures as they came, to learn from.
    recent: Vec<i64>,
    depth: usize,
}

impl Order {
    /// The decoding time of the next picture, which is not after `pts`.
    pub(super) fn decoding_time(&mut self, pts: i64) -> i64 {
        self.learn(pts);
        let at = self.waiting.partition_point(|waiting| *waiting <= pts);
        self.waiting.insert(at, pts);
        if self.waiting.len() > self.depth {
            self.waiting.remove(0)
        } else {
            // One more is held back from now on: the smallest is given out now, and again.
            self.waiting.first().copied().unwrap_or(pts)
        }
    }

    /// A picture is held back by as many as came before it and are presented after it.
    fn learn(&mut self, pts: i64) {
        let later = self.recent.iter().filter(|recent| **recent > pts).count();
        if later > MAX_DEPTH / 2 && later == self.recent.len() {
            // The clock went back.
            *self = Self::default();
        } else {
            self.depth = self.depth.max(later);
        }
        if self.recent.len() == MAX_DEPTH {
            self.recent.remove(0);
        }
        self.recent.push(pts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_reordering_both_times_are_the_same() {
        let mut order = Order::default();
        for pts in [0, 3_000, 6_000, 9_000, 90_000] {
            assert_eq!(order.decoding_time(pts), pts);
        }
    }

    #[test]
    fn reordered_pictures_get_growing_times_that_are_not_after_their_presentation() {
        for (group, depth) in [(vec![3, 1, 2], 1), (vec![4, 2, 1, 3], 2)] {
            let mut order = Order::default();
            let length = group.len() as i64;
            let mut last = None;
            for round in 0..20 {
                for place in &group {
                    let pts = round * length + place;
                    let dts = order.decoding_time(pts);
                    assert!(dts <= pts);
                    // The first group is what is learnt from.
                    if round > 1 {
                        assert!(last < Some(dts), "{dts} in round {round}");
                    }
                    last = Some(dts);
                }
            }
            assert_eq!(order.depth, depth);
        }
    }

    #[test]
    fn a_clock_that_goes_back_is_no_reordering() {
        let mut order = Order::default();
        (100..200).for_each(|pts| {
            order.decoding_time(pts);
        });
        assert_eq!((order.decoding_time(3), order.decoding_time(4)), (3, 4));
    }
}
