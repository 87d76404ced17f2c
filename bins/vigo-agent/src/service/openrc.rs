//! OpenRC: a service script whose daemon OpenRC itself looks after.

use super::{Plan, ServiceError, Start, quote};

pub(super) const FILE: &str = "/etc/init.d/vigo-envoy";
const LOG: &str = "/var/log/vigo-envoy.log";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    const TEXT: &str = "an OpenRC script";
    let words = start.quoted(TEXT, quote::shell)?;
    let path = || ServiceError::Path { path: start.0.join(" "), text: TEXT };
    // OpenRC puts the program's path between double quotes, and reads that once more.
    let program = quote::systemd(&start.0[0]).ok_or_else(path)?;
    // OpenRC reads it as a line of words again.
    let arguments = quote::shell(&words[1..].join(" ")).ok_or_else(path)?;
    let script = format!(
        "#!/sbin/openrc-run\n\
         # Written by `vigo bootstrap`, which replaces it.\n\
         \n\
         description=\"Vigo envoy: checks in with the server that manages this machine\"\n\
         supervisor=supervise-daemon\n\
         command={program}\n\
         command_args={arguments}\n\
         respawn_delay=5\n\
         respawn_max=0\n\
         umask=077\n\
         error_log={LOG}\n\
         \n\
         depend() {{\n\
         \tneed net\n\
         \tuse dns logger\n\
         \tafter firewall\n\
         }}\n"
    );
    Ok(Plan::default()
        .write(FILE, 0o755, script)
        .run("rc-update", &["add", "vigo-envoy", "default"])
        .run("rc-service", &["vigo-envoy", "restart"]))
}

pub(super) fn remove() -> Plan {
    Plan::default()
        .attempt("rc-service", &["vigo-envoy", "stop"])
        .attempt("rc-update", &["del", "vigo-envoy", "default"])
        .remove(FILE)
        .remove(LOG)
}
