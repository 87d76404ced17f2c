//! launchd: a property list among the system's daemons.

use super::{Plan, ServiceError, Start, quote};

pub(super) const NAME: &str = "com.vigo.envoy";
pub(super) const FILE: &str = "/Library/LaunchDaemons/com.vigo.envoy.plist";
const TARGET: &str = "system/com.vigo.envoy";
const LOG: &str = "/var/log/vigo-envoy.log";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    let words = start.quoted("a property list", quote::xml)?;
    let words: String = words.iter().map(|word| format!("\t\t<string>{word}</string>\n")).collect();
    // The mask is 077, which a property list says in decimal.
    let plist = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Written by `vigo bootstrap`, which replaces it. -->\n\
         <plist version=\"1.0\">\n\
         <dict>\n\
         \t<key>Label</key>\n\
         \t<string>{NAME}</string>\n\
         \t<key>ProgramArguments</key>\n\
         \t<array>\n{words}\t</array>\n\
         \t<key>RunAtLoad</key>\n\
         \t<true/>\n\
         \t<key>KeepAlive</key>\n\
         \t<true/>\n\
         \t<key>ThrottleInterval</key>\n\
         \t<integer>5</integer>\n\
         \t<key>Umask</key>\n\
         \t<integer>63</integer>\n\
         \t<key>StandardErrorPath</key>\n\
         \t<string>{LOG}</string>\n\
         </dict>\n\
         </plist>\n"
    );
    Ok(Plan::default()
        .attempt("launchctl", &["bootout", TARGET])
        .write(FILE, 0o644, plist)
        .run("launchctl", &["enable", TARGET])
        // The one before may still be ending.
        .insist("launchctl", &["bootstrap", "system", FILE]))
}

pub(super) fn remove() -> Plan {
    Plan::default().attempt("launchctl", &["bootout", TARGET]).remove(FILE).remove(LOG)
}
