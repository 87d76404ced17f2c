//! Figures that are counted when they are asked for.

use std::collections::HashMap;

use crate::app::App;
use crate::clock;
use crate::fleet::Status;

/// Sets the gauges of the fleet.
pub(crate) fn fleet(app: &App) {
    let now = clock::now();
    let mut counts: HashMap<&'static str, u32> = ["active", "stale", "expired", "revoked"].map(|s| (s, 0)).into();
    for envoy in app.fleet.all() {
        *counts.entry(Status::of(&envoy.live(), app.checkins.interval, now).word()).or_default() += 1;
    }
    for (status, count) in counts {
        metrics::gauge!("vigo_envoys", "status" => status).set(count);
    }
    metrics::gauge!("vigo_connections_open").set(app.connections.open() as f64);
    metrics::gauge!("vigo_ca_expires_seconds").set(app.authority.root().not_after.as_secs() as f64);
    metrics::gauge!("vigo_leaf_expires_seconds").set(app.certificates.leaf().not_after().as_secs() as f64);
}
