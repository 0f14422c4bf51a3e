//! Questions about Services that others have, to the thread that knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::job::Job;
use super::question::{Answer, Question};

/// Asks. Clones ask the same thread, from when it starts until it ends.
#[derive(Debug, Clone, Default)]
pub struct Asker(Arc<Mutex<Option<mpsc::Sender<Job>>>>);

impl Asker {
    /// Waits for the answer, in a thread that may wait. `None` while there is nobody to ask.
    pub fn ask(&self, question: Question) -> Option<Answer> {
        let jobs = self.jobs().clone()?;
        let (answer, answered) = mpsc::channel();
        jobs.send(Job::Question(question, answer)).ok()?;
        drop(jobs);
        answered.recv().ok()
    }

    /// Whom to ask from now on.
    pub(super) fn set(&self, jobs: Option<mpsc::Sender<Job>>) {
        *self.jobs() = jobs;
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
