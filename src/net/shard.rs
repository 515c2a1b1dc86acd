//! Threads for fan-out: one runtime per core, on which a stream's readers are served without locks and
//! without waking a task for each.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Tasks that may wait to be started on one shard. Whoever starts more waits.
const QUEUE: usize = 1_024;

type Local = Pin<Box<dyn Future<Output = ()>>>;
type Start = Box<dyn FnOnce() -> Local + Send>;

/// All shards. They end with the process: their tasks end by themselves when streams and sockets do.
#[derive(Debug)]
pub struct Shards {
    queues: Vec<mpsc::Sender<Start>>,
    next: AtomicUsize,
}

impl Shards {
    /// Starts `count` threads, at least one.
    ///
    /// # Errors
    /// When the system refuses a thread or a runtime.
    pub fn start(count: usize) -> io::Result<Self> {
        let queues = (0..count.max(1))
            .map(start_one)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            queues,
            next: AtomicUsize::new(0),
        })
    }

    /// Number of shards.
    pub const fn count(&self) -> usize {
        self.queues.len()
    }

    /// Starts a task on the next shard in turn. The task is made there, so that it need not be `Send`.
    pub async fn spawn<F, T>(&self, start: F)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.queues.len();
        if let Some(queue) = self.queues.get(turn) {
            // A shard ends with the process only.
            let _ = queue.send(Box::new(move || Box::pin(start()))).await;
        }
    }
}

fn start_one(number: usize) -> io::Result<mpsc::Sender<Start>> {
    let (queue, mut starts) = mpsc::channel::<Start>(QUEUE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || {
        let local = LocalSet::new();
        local.block_on(&runtime, async move {
            while let Some(start) = starts.recv().await {
                // A panic in `start` itself must not take the shard with it; the task's own is caught by the runtime.
                tokio::task::spawn_local(async move { start().await });
            }
        });
    };
    std::thread::Builder::new()
        .name(format!("shard-{number}"))
        .spawn(run)?;
    Ok(queue)
}
