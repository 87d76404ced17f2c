//! systemd: a unit where an administrator's own lie.

use super::{Plan, ServiceError, Start, quote};

pub(super) const NAME: &str = "vigo-envoy.service";
pub(super) const FILE: &str = "/etc/systemd/system/vigo-envoy.service";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    let start = start.quoted("a systemd unit", quote::systemd)?.join(" ");
    let unit = format!(
        "# Written by `vigo bootstrap`, which replaces it.\n\
         [Unit]\n\
         Description=Vigo envoy: checks in with the server that manages this machine\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={start}\n\
         Restart=always\n\
         RestartSec=5\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    Ok(Plan::default()
        .write(FILE, 0o644, unit)
        .run("systemctl", &["daemon-reload"])
        .run("systemctl", &["enable", NAME])
        .run("systemctl", &["restart", NAME]))
}

pub(super) fn remove() -> Plan {
    Plan::default()
        .attempt("systemctl", &["disable", "--now", NAME])
        .remove(FILE)
        .attempt("systemctl", &["daemon-reload"])
        .attempt("systemctl", &["reset-failed", NAME])
}
