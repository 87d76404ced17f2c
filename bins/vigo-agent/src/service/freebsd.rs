//! FreeBSD: an rc script for daemon(8), which starts the agent again when it ends and hands what it says to syslog.

use super::{Plan, ServiceError, Start, quote};

pub(super) const FILE: &str = "/usr/local/etc/rc.d/vigo_envoy";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    const TEXT: &str = "an rc script";
    let words = start.quoted(TEXT, quote::shell)?.join(" ");
    let line = format!("-S -T vigo_envoy -t vigo_envoy -R 5 -P /var/run/vigo_envoy.pid {words}");
    // rc reads it as a line of words again.
    let line = quote::shell(&line).ok_or_else(|| ServiceError::Path { path: start.0.join(" "), text: TEXT })?;
    let script = format!(
        "#!/bin/sh\n\
         # Written by `vigo bootstrap`, which replaces it.\n\
         #\n\
         # PROVIDE: vigo_envoy\n\
         # REQUIRE: NETWORKING syslogd\n\
         # KEYWORD: shutdown\n\
         \n\
         . /etc/rc.subr\n\
         \n\
         name=vigo_envoy\n\
         desc='Vigo envoy: checks in with the server that manages this machine'\n\
         rcvar=vigo_envoy_enable\n\
         load_rc_config $name\n\
         : \"${{vigo_envoy_enable:=NO}}\"\n\
         pidfile=/var/run/vigo_envoy.pid\n\
         command=/usr/sbin/daemon\n\
         command_args={line}\n\
         umask 077\n\
         \n\
         run_rc_command \"$1\"\n"
    );
    Ok(Plan::default()
        .write(FILE, 0o755, script)
        .run("sysrc", &["vigo_envoy_enable=YES"])
        .run("service", &["vigo_envoy", "restart"]))
}

pub(super) fn remove() -> Plan {
    Plan::default()
        .attempt("service", &["vigo_envoy", "onestop"])
        .attempt("sysrc", &["-x", "vigo_envoy_enable"])
        .remove(FILE)
        .remove("/var/run/vigo_envoy.pid")
}
