//! What operators do to envoys, one or many.

use std::time::Duration;

use serde_json::json;

use crate::client::{Client, Reply};
use crate::command::bulk::Act;
use crate::failure::Failure;

pub(super) struct Revoke {
    pub(super) reason: String,
}

pub(super) struct Delete;

pub(super) struct AllowReenroll {
    pub(super) ttl: Duration,
}

impl Act for Revoke {
    const DOES: &'static str = "Revokes";
    const DONE: &'static str = "revoked";

    fn is_done(status: &str) -> bool {
        status == "revoked"
    }

    async fn act(&self, client: &Client, path: &str) -> Result<Reply, Failure> {
        client.post(&format!("{path}/revoke"), &json!({"reason": self.reason})).await
    }
}

impl Act for Delete {
    const DOES: &'static str = "Revokes and deletes";
    const DONE: &'static str = "deleted";

    fn is_done(_: &str) -> bool {
        false
    }

    async fn act(&self, client: &Client, path: &str) -> Result<Reply, Failure> {
        client.delete(path).await
    }
}

impl Act for AllowReenroll {
    const DOES: &'static str = "Lets enrol again, once,";
    const DONE: &'static str = "allowed";

    fn is_done(_: &str) -> bool {
        false
    }

    async fn act(&self, client: &Client, path: &str) -> Result<Reply, Failure> {
        client.post(&format!("{path}/allow-reenroll"), &json!({"ttl_secs": self.ttl.as_secs()})).await
    }
}
