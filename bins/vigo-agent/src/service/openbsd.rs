//! OpenBSD: an rc script, which rcctl switches on.

use super::{Plan, ServiceError, Start, quote};

pub(super) const FILE: &str = "/etc/rc.d/vigo_envoy";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    let words = start.quoted("an OpenBSD rc script", quote::bare)?;
    // The process is found by program and flags, as they stand here.
    let script = format!(
        "#!/bin/ksh\n\
         # Written by `vigo bootstrap`, which replaces it.\n\
         \n\
         daemon=\"{program}\"\n\
         daemon_flags=\"{flags}\"\n\
         daemon_logger=\"daemon.info\"\n\
         \n\
         . /etc/rc.d/rc.subr\n\
         \n\
         rc_bg=YES\n\
         rc_reload=NO\n\
         \n\
         rc_cmd $1\n",
        program = words[0],
        flags = words[1..].join(" ")
    );
    Ok(Plan::default()
        .write(FILE, 0o755, script)
        .run("rcctl", &["enable", "vigo_envoy"])
        .run("rcctl", &["restart", "vigo_envoy"]))
}

pub(super) fn remove() -> Plan {
    Plan::default().attempt("rcctl", &["stop", "vigo_envoy"]).attempt("rcctl", &["disable", "vigo_envoy"]).remove(FILE)
}
