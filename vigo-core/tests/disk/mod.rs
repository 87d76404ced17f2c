//! A disk in memory that can fail, and forget what was not synced.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// What becomes of the writes since the last sync when one fails or the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// All reached the disk after all.
    Kept,
    /// None did.
    Lost,
    /// Every other one did, of the last as much as half.
    Torn,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    current: Vec<u8>,
    /// What is on the plate.
    durable: Vec<u8>,
    unsynced: Vec<Action>,
    /// Syncs until the first that fails, how many fail, and what then becomes of the unsynced.
    failing: Option<(usize, usize, Unsynced)>,
    /// Calls of any kind until the first that fails, and how many fail. Of a write that fails nothing is written.
    failing_calls: Option<(usize, usize)>,
    failed: bool,
    broken: bool,
    recording: Option<(Vec<u8>, Vec<Action>)>,
}

#[derive(Clone, Debug)]
enum Action {
    Write(u64, Vec<u8>),
    Resize(u64),
    Sync,
}

impl Action {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let start = *offset as usize;
                if image.len() < start + data.len() {
                    image.resize(start + data.len(), 0);
                }
                image[start..start + data.len()].copy_from_slice(data);
            }
            Self::Resize(length) => image.resize(*length as usize, 0),
            Self::Sync => {}
        }
    }
}

fn settle(image: &mut Vec<u8>, unsynced: &[Action], how: Unsynced) {
    for (i, action) in unsynced.iter().enumerate() {
        match (how, action) {
            (Unsynced::Lost, _) => {}
            (Unsynced::Torn, Action::Write(offset, data)) if i + 1 == unsynced.len() => {
                Action::Write(*offset, data[..data.len() / 2].to_vec()).apply(image);
            }
            (Unsynced::Torn, Action::Write(..)) if i % 2 == 0 => {}
            _ => action.apply(image),
        }
    }
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    /// As the engine is given it.
    pub(crate) fn open(&self) -> io::Result<Self> {
        self.state().check()?;
        Ok(self.clone())
    }

    /// `count` syncs fail, the first of them the `nth` from now on.
    pub(crate) fn fail_syncs(&self, nth: usize, count: usize, unsynced: Unsynced) {
        self.state().failing = Some((nth, count, unsynced));
    }

    /// `count` calls fail, the first of them the `nth` from now on: of any kind, a reading one too.
    pub(crate) fn fail_calls(&self, nth: usize, count: usize) {
        self.state().failing_calls = Some((nth, count));
    }

    /// What was told to fail and has not yet does not fail any more.
    pub(crate) fn fail_no_more(&self) {
        let mut state = self.state();
        state.failing = None;
        state.failing_calls = None;
    }

    /// Whether that call came.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Everything fails from now on.
    pub(crate) fn break_down(&self) {
        self.state().broken = true;
    }

    /// Nothing fails any more; what was not synced is gone.
    pub(crate) fn repair(&self) {
        let mut state = self.state();
        state.broken = false;
        state.current = state.durable.clone();
        state.unsynced.clear();
    }

    /// What is on the plate.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.state().durable.clone()
    }

    /// Puts a backup on the plate.
    pub(crate) fn restore(&self, image: Vec<u8>) {
        self.state().durable = image;
    }

    /// Keeps every action from now on, for [`cut`](Self::cut).
    pub(crate) fn record(&self) {
        let mut state = self.state();
        state.recording = Some((state.durable.clone(), Vec::new()));
    }

    /// How many actions were kept by now.
    pub(crate) fn cuts(&self) -> usize {
        self.state().recording.as_ref().map_or(0, |(_, actions)| actions.len())
    }

    /// The disk as a power cut after the first `n` kept actions would leave it.
    pub(crate) fn cut(&self, n: usize, unsynced: Unsynced) -> Self {
        let state = self.state();
        let (start, actions) = state.recording.as_ref().expect("recorded");
        let synced = actions[..n].iter().rposition(|action| matches!(action, Action::Sync)).map_or(0, |i| i + 1);
        let mut image = start.clone();
        settle(&mut image, &actions[..synced], Unsynced::Kept);
        settle(&mut image, &actions[synced..n], unsynced);
        let cut = Self::default();
        cut.state().current.clone_from(&image);
        cut.state().durable = image;
        cut
    }
}

impl State {
    fn check(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the disk is broken"));
        }
        match &mut self.failing_calls {
            Some((nth, _)) if *nth > 1 => *nth -= 1,
            Some((_, count)) if *count > 0 => {
                *count -= 1;
                self.failed = true;
                return Err(io::Error::other("the call failed"));
            }
            _ => {}
        }
        Ok(())
    }

    fn act(&mut self, action: Action) {
        action.apply(&mut self.current);
        if let Some((_, actions)) = &mut self.recording {
            actions.push(action.clone());
        }
        self.unsynced.push(action);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.check()?;
        Ok(state.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        let start = offset as usize;
        let bytes = state.current.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.act(Action::Resize(len));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.act(Action::Write(offset, data.to_vec()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        if let Some((nth, count, how)) = state.failing {
            state.failing = if nth > 1 { Some((nth - 1, count, how)) } else { Some((1, count.saturating_sub(1), how)) };
            if nth == 1 && count > 0 {
                state.failed = true;
                let unsynced = std::mem::take(&mut state.unsynced);
                let mut image = std::mem::take(&mut state.durable);
                settle(&mut image, &unsynced, how);
                state.current.clone_from(&image);
                state.durable = image;
                return Err(io::Error::other("the sync failed"));
            }
        }
        if let Some((_, actions)) = &mut state.recording {
            actions.push(Action::Sync);
        }
        state.unsynced.clear();
        state.durable = state.current.clone();
        Ok(())
    }
}
