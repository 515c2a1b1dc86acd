//! Bounds what is heavy: browsers and encoders would otherwise starve each other and what is measured.

use std::sync::{Condvar, Mutex};

/// Places for those who want to do one heavy thing.
pub(crate) struct Limit {
    free: Mutex<usize>,
    changed: Condvar,
}

/// Browsers at a time. Each decodes and draws without a graphics card.
pub(crate) static BROWSER: Limit = Limit::new(2);

/// Browsers that encode pictures, and what cannot do beside them. To be taken before [`BROWSER`].
pub(crate) static ENCODING_BROWSER: Limit = Limit::new(1);

/// A place, until it is dropped.
pub(crate) struct Place(&'static Limit);

impl Limit {
    const fn new(places: usize) -> Self {
        Self {
            free: Mutex::new(places),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub(crate) fn take(&'static self) -> Place {
        let free = self.free.lock().unwrap();
        let mut free = self.changed.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing panics while it holds the lock.
        *self.0.free.lock().unwrap() += 1;
        self.0.changed.notify_one();
    }
}
