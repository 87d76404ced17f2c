//! Places for downloads: so many at once, of one address fewer, and who stops reading gives its place up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use vigo_core::ClientAddr;

/// The most downloads that are served at once.
const MAX: usize = 64;
/// The most of one address, stalled ones included: a rack behind one address still gets on.
const MAX_PER_ADDRESS: usize = 16;
/// How long one waits for its place.
const WAIT: Duration = Duration::from_secs(20);
/// A download of which nothing was taken for so long gives its place to another.
const STALLED: Duration = Duration::from_secs(20);

/// The places.
#[derive(Debug)]
pub(crate) struct Downloads {
    places: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// One download; its place is given up when it is dropped, or when it stalls.
#[derive(Debug)]
pub(crate) struct Download {
    downloads: Arc<Downloads>,
    address: IpAddr,
    progress: Arc<AtomicU64>,
    watch: Option<tokio::task::JoinHandle<()>>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX)), addresses: Mutex::default() }
    }
}

impl Downloads {
    /// A place; `None` when the address has too many, or none became free in time.
    pub(crate) async fn begin(self: &Arc<Self>, from: ClientAddr) -> Option<Download> {
        let address = from.limit_key();
        {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(address).or_default();
            if *count >= MAX_PER_ADDRESS {
                return None;
            }
            *count += 1;
        }
        // From here on the count is given back, whatever happens.
        let mut download = Download { downloads: Arc::clone(self), address, progress: Arc::default(), watch: None };
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()?;
        download.watch = Some(tokio::spawn(hold(place, Arc::clone(&download.progress))));
        Some(download)
    }
}

/// Holds a place for as long as something is taken.
async fn hold(place: OwnedSemaphorePermit, progress: Arc<AtomicU64>) {
    let mut before = None;
    loop {
        let now = progress.load(Ordering::Relaxed);
        if before == Some(now) {
            drop(place);
            return;
        }
        before = Some(now);
        tokio::time::sleep(STALLED).await;
    }
}

impl Download {
    /// Something was taken.
    pub(crate) fn goes_on(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        let mut addresses = self.downloads.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(n: u8) -> ClientAddr {
        ClientAddr::new([10, 0, 0, n].into())
    }

    /// Simulated time goes by, and whoever waits for it wakes.
    async fn later(span: Duration) {
        tokio::time::advance(span).await;
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_reading_gives_its_place_up_and_an_address_has_so_many() {
        let downloads = Arc::new(Downloads::default());
        let mut stalled = Vec::new();
        for n in 0..4 {
            for _ in 0..MAX_PER_ADDRESS {
                stalled.push(downloads.begin(from(n)).await.unwrap());
            }
            assert!(downloads.begin(from(n)).await.is_none(), "an address has so many");
        }
        // All places are taken; within the time that one waits, those that stall give theirs up.
        let ninth = tokio::spawn({
            let downloads = Arc::clone(&downloads);
            async move { downloads.begin(from(9)).await.is_some() }
        });
        assert!(ninth.await.unwrap() || downloads.begin(from(9)).await.is_some());
        drop(stalled);
        assert!(downloads.addresses.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_goes_on_keeps_its_place() {
        let downloads = Arc::new(Downloads::default());
        let download = downloads.begin(from(1)).await.unwrap();
        for _ in 0..10 {
            download.goes_on();
            later(STALLED / 2).await;
        }
        assert_eq!(downloads.places.available_permits(), MAX - 1);
        for _ in 0..3 {
            later(STALLED).await;
        }
        assert_eq!(downloads.places.available_permits(), MAX);
        drop(download);
        assert_eq!(downloads.places.available_permits(), MAX);
    }
}
