//! NetBSD: an rc script in `/etc/rc.d`, the only folder that its rc reads unless `rc_directories` in `/etc/rc.conf` says
//! more. That file is the administrator's, and `/usr/local` may not be mounted when rc looks; so the script lies in
//! `/etc/rc.d`, is switched on by a file of its own, and has the usual name in `/usr/local/etc/rc.d` as a link.

use super::{Plan, ServiceError, Start, quote};

pub(super) const FILE: &str = "/etc/rc.d/vigo_envoy";
const SWITCH: &str = "/etc/rc.conf.d/vigo_envoy";
const LINK: &str = "/usr/local/etc/rc.d/vigo_envoy";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    const TEXT: &str = "an rc script";
    let path = || ServiceError::Path { path: start.0.join(" "), text: TEXT };
    let words = start.quoted(TEXT, quote::shell)?;
    // The program's path is one that rc does not quote.
    quote::bare(&words[0]).ok_or_else(path)?;
    let arguments =
        format!("{} </dev/null 2>&1 | /usr/bin/logger -t vigo_envoy -p daemon.info &", words[1..].join(" "));
    // rc reads it as a line of words again.
    let arguments = quote::shell(&arguments).ok_or_else(path)?;
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
         rcvar=$name\n\
         command={program}\n\
         command_args={arguments}\n\
         umask 077\n\
         \n\
         load_rc_config $name\n\
         run_rc_command \"$1\"\n",
        program = words[0]
    );
    Ok(Plan::default()
        .write(FILE, 0o755, script)
        .write(SWITCH, 0o644, "# Written by `vigo bootstrap`.\nvigo_envoy=YES\n".to_owned())
        .link(LINK, FILE)
        .run(FILE, &["restart"]))
}

pub(super) fn remove() -> Plan {
    Plan::default().attempt(FILE, &["onestop"]).remove(SWITCH).remove(LINK).remove(FILE)
}
