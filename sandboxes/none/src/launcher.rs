//! The thread that starts processes.
//!
//! One thread that lives as long as the host: a sandbox may tie the life of a worker to the thread
//! that started it (Linux `PR_SET_PDEATHSIG`), and a fork takes longer than a task should.

use std::io;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Launches that wait for the thread. More wait in front of the channel.
const LAUNCHES_WAITING_MAX: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Launcher(mpsc::Sender<Job>);

impl Launcher {
    /// Must be called within a tokio runtime, whose reactor the pipes will belong to.
    pub(crate) fn start() -> io::Result<Launcher> {
        let (sender, mut jobs) = mpsc::channel::<Job>(LAUNCHES_WAITING_MAX);
        let runtime = Handle::current();
        std::thread::Builder::new().name("launcher".into()).spawn(move || {
            let _within = runtime.enter();
            while let Some(job) = jobs.blocking_recv() {
                job();
            }
        })?;
        Ok(Launcher(sender))
    }

    /// Runs a job on the thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            let _caller_gone = done.send(job());
        });
        let gone = |_| io::Error::other("the launcher thread has ended");
        self.0.send(job).await.map_err(|_| gone(()))?;
        result.await.map_err(|_| gone(()))
    }
}
