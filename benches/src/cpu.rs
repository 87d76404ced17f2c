//! What a process has spent.

use std::time::Duration;

/// CPU time of a process so far, user and system, all threads.
#[derive(Clone, Copy, Debug)]
pub struct Cpu(Duration);

impl Cpu {
    /// Of a running process, as the scheduler counts it in nanoseconds (Linux: `/proc/PID/task/*/schedstat`). A thread that
    /// ended no longer counts, so measure between two moments with the same threads.
    ///
    /// # Errors
    /// When the process is gone, or this is no Linux.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let mut nanos = 0u64;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path().join("schedstat");
            let text = std::fs::read_to_string(path)?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Self(Duration::from_nanos(nanos)))
    }

    /// What was spent since.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
