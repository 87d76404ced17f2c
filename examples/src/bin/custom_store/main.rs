//! A store of an embedder's own: one append-only file, in `log_store.rs`. All of Vigo's libraries run over it, and it
//! passes the suite that Vigo's own engines pass.
//!
//! ```sh
//! cargo run -p vigo-examples --bin custom_store -- fleet.log '*.dev.example.com'
//! cargo test -p vigo-examples --test custom_store # the suite: `vigo_core::store::conformance`
//! ```
//!
//! Approves a pattern, as `vigocli approved add` does, and prints all that are approved.

mod log_store;

use std::path::Path;

use anyhow::bail;
use log_store::LogStore;
use vigo_core::ApprovalId;
use vigo_enroll::operate::{self, Act, AnyHost};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, pattern] = arguments.as_slice() else { bail!("usage: custom_store FILE PATTERN") };
    let store = LogStore::open(Path::new(file))?;
    let act = Act { by: "ada".to_owned(), now: vigo_examples::now(), audit: vigo_examples::id() };
    let id = ApprovalId::from_random(vigo_examples::id());
    operate::add_approval(&store, id, pattern.parse()?, AnyHost::Unconfirmed, "by the example", &act).await?;
    for (record, revision) in operate::approvals(&store).await? {
        println!("{} since commit {}", record.pattern, revision.get());
    }
    Ok(())
}
