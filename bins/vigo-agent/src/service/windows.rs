//! The service control manager of Windows, by its own command line.

use super::{Plan, ServiceError, Start, quote};

const NAME: &str = "vigo-envoy";

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    // Every word is quoted: an unquoted path with a blank in it starts another program.
    let line = start.quoted("a Windows service", quote::windows)?.join(" ");
    let settings = ["binPath=", &line, "start=", "auto", "DisplayName=", "Vigo envoy"];
    let with = |verb| [&[verb, NAME], settings.as_slice()].concat();
    Ok(Plan::default()
        .attempt("sc.exe", &["stop", NAME])
        // One of the two does it: there is a service of this name, or there is none.
        .attempt("sc.exe", &with("create"))
        .run("sc.exe", &with("config"))
        .run("sc.exe", &["description", NAME, "Checks in with the server that manages this machine"])
        .run("sc.exe", &["failure", NAME, "reset=", "86400", "actions=", "restart/5000/restart/5000/restart/5000"])
        .run("sc.exe", &["failureflag", NAME, "1"])
        // The one before may still be ending.
        .insist("sc.exe", &["start", NAME]))
}

pub(super) fn remove() -> Plan {
    Plan::default().attempt("sc.exe", &["stop", NAME]).attempt("sc.exe", &["delete", NAME])
}

/// What icacls is told of a folder first: the administrators own it, whoever made it. An owner may give himself any right.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "Windows alone has access lists"))]
pub(crate) fn owner(folder: &str) -> [String; 3] {
    [folder.to_owned(), "/setowner".into(), "*S-1-5-32-544".into()]
}

/// What icacls is told of a folder: SYSTEM and the administrators, by their numbers, which are the same in every language,
/// and nobody from above.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "Windows alone has access lists"))]
pub(crate) fn access(folder: &str) -> [String; 5] {
    let all = |who: &str| format!("*{who}:(OI)(CI)F");
    [folder.to_owned(), "/inheritance:r".into(), "/grant:r".into(), all("S-1-5-18"), all("S-1-5-32-544")]
}
