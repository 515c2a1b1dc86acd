//! Tasks by key: started once, stopped at once, each with what is known of it until it ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// Tasks that run until they are stopped, by key, each with what is known of it.
#[derive(Debug)]
pub(super) struct Jobs<K, S> {
    running: Arc<Mutex<HashMap<K, Job<S>>>>,
}

#[derive(Debug)]
struct Job<S> {
    task: AbortHandle,
    state: Arc<Mutex<S>>,
}

impl<K, S> Clone for Jobs<K, S> {
    fn clone(&self) -> Self {
        Self {
            running: self.running.clone(),
        }
    }
}

impl<K, S> Default for Jobs<K, S> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
        }
    }
}

impl<K, S> Jobs<K, S>
where
    K: Clone + Eq + Hash + Send + 'static,
    S: Clone + Default + Send + 'static,
{
    /// Runs what `make` gives. False when something runs under that key. What the work gives in the end is dropped
    /// once nothing is known of the job any more.
    pub(super) fn start<F>(&self, key: K, make: impl FnOnce(Arc<Mutex<S>>) -> F) -> bool
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match lock(&self.running).entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                let state = Arc::new(Mutex::new(S::default()));
                let work = make(state.clone());
                let (own, key, running) =
                    (state.clone(), place.key().clone(), self.running.clone());
                let ending = async move {
                    let _given = work.await;
                    // It may have been stopped in the meantime, and another have begun.
                    let mut running = lock(&running);
                    if running
                        .get(&key)
                        .is_some_and(|job| Arc::ptr_eq(&job.state, &own))
                    {
                        running.remove(&key);
                    }
                };
                let task = tokio::spawn(ending).abort_handle();
                place.insert(Job { task, state });
                true
            }
        }
    }

    pub(super) fn stop(&self, key: &K) -> bool {
        let job = lock(&self.running).remove(key);
        job.map(|job| job.task.abort()).is_some()
    }

    pub(super) fn stop_all(&self) {
        for (_, job) in lock(&self.running).drain() {
            job.task.abort();
        }
    }

    /// Looks at the state of every job.
    pub(super) fn each(&self, mut look: impl FnMut(&S)) {
        for job in lock(&self.running).values() {
            look(&lock(&job.state));
        }
    }

    pub(super) fn state(&self, key: &K) -> Option<S> {
        lock(&self.running)
            .get(key)
            .map(|job| lock(&job.state).clone())
    }
}

/// The mutex's value, whatever happened to whoever held it before.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
