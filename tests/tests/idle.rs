//! What an idle check-in asks of the store: nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use vigo_core::PolicyChange;
use vigo_core::store::{Entry, Outcome, Page, Revision, Store, StoreError, Transaction, Watch};
use vigo_server::{Config, Server};
use vigo_tests::client::Client;
use vigo_tests::{Options, Server as Home};

/// Counts what is asked of the store behind it.
struct Counting {
    inner: Arc<dyn Store>,
    calls: Arc<AtomicUsize>,
}

impl Counting {
    fn count(&self) -> &dyn Store {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.as_ref()
    }
}

#[async_trait]
impl Store for Counting {
    async fn get(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.count().get(key).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        self.count().scan(prefix, after, limit).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        self.count().commit(transaction).await
    }

    fn watch(&self, prefix: &[u8], from: Revision) -> Watch {
        self.count().watch(prefix, from)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_check_ins_ask_nothing_of_the_store() {
    let home = Home::home(&Options::default());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let config = Config::parse(&home.configuration(), Path::new("server.yaml")).unwrap();
    let server = Server::builder(config, home.dir().to_owned())
        .store_layer(move |inner| Arc::new(Counting { inner, calls: counted }))
        // Last-seen pages are written between check-ins, not in them; here they wait for the end.
        .flush_every(Duration::from_hours(1));
    let server = server.build().await.unwrap().start().await.unwrap();
    let token = tokio::task::block_in_place(|| home.token("web1.example.com", &[]));
    let mut envoy = Client::enrol(&home.grpc(), "web1.example.com", 1, &token).await;
    let mut line = envoy.connect().await.unwrap();
    let first = envoy.check_in(&mut line, None).await.unwrap();
    let PolicyChange::Bundle(bundle) = first.policy else { panic!("a first check-in brings the bundle") };
    let held = bundle.verify(&envoy.server_key, &envoy.server).unwrap().state;
    // The audit chain's link for the enrolment comes within a second or so.
    tokio::task::block_in_place(|| {
        vigo_tests::until("the chain is whole", || (home.json(&["audit", "verify"])["uncovered"] == 0).then_some(()));
    });
    let before = calls.load(Ordering::SeqCst);
    assert!(before > 0, "the count is of this store");
    for _ in 0..1000 {
        let accepted = envoy.check_in(&mut line, Some(held.clone())).await.unwrap();
        assert_eq!(accepted.policy, PolicyChange::None);
    }
    assert_eq!(calls.load(Ordering::SeqCst) - before, 0);
    server.stop().await;
    assert!(calls.load(Ordering::SeqCst) > before, "the last flush wrote the page");
}
