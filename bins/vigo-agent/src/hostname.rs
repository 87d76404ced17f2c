//! The name that this machine has by its own account.

use std::sync::mpsc;
use std::time::Duration;

use vigo_core::{Hostname, HostnameError};

/// A resolver that does not answer within this time confirms nothing.
const RESOLVER: Duration = Duration::from_secs(5);

/// Why this machine's own name is not one to enrol under.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OwnNameError {
    /// Not a hostname.
    #[error("this machine calls itself `{name}`, which is refused: {reason}")]
    Refused {
        /// What the system says.
        name: String,
        /// What is wrong with it.
        reason: HostnameError,
    },
    /// A name that every machine has.
    #[error("this machine has no name of its own (it calls itself `{0}`)")]
    Nobody(Hostname),
}

/// The fully qualified name if the resolver confirms it, else what the system calls itself.
///
/// # Errors
/// When neither is a hostname that tells this machine from others.
pub fn own() -> Result<Hostname, OwnNameError> {
    let system = gethostname::gethostname().to_string_lossy().into_owned();
    let asked = system.clone();
    let (answer, answered) = mpsc::channel();
    // A resolver may hang for as long as it likes; this thread ends with the process.
    std::thread::spawn(move || answer.send(canonical(&asked)));
    choose(&system, answered.recv_timeout(RESOLVER).ok().flatten().as_deref())
}

/// The name that the resolver has for a name.
fn canonical(name: &str) -> Option<String> {
    // getaddrinfo's AI_CANONNAME is 2 wherever this agent runs (POSIX names it, netdb.h of each system gives 2).
    const AI_CANONNAME: i32 = 2;
    let hints = dns_lookup::AddrInfoHints { flags: AI_CANONNAME, ..Default::default() };
    let mut found = dns_lookup::getaddrinfo(Some(name), None, Some(hints)).ok()?;
    found.find_map(|info| info.ok()?.canonname)
}

/// The resolver confirms a name that has a domain and begins with what the system calls itself.
fn choose(system: &str, canonical: Option<&str>) -> Result<Hostname, OwnNameError> {
    let own: Hostname = system.parse().map_err(|reason| OwnNameError::Refused { name: printable(system), reason })?;
    let label = |name: &Hostname| name.as_str().split('.').next().unwrap_or_default().to_owned();
    let qualified = canonical
        .and_then(|name| name.parse::<Hostname>().ok())
        .filter(|name| name.as_str().contains('.') && label(name) == label(&own));
    let name = match qualified {
        // What the system calls itself is qualified already and the resolver only knows a shorter form: keep it.
        Some(name) if name.as_str().len() >= own.as_str().len() => name,
        _ => own,
    };
    let nobody = label(&name) == "localhost";
    if nobody { Err(OwnNameError::Nobody(name)) } else { Ok(name) }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(system: &str, canonical: Option<&str>, expected: &str) {
        let chosen = choose(system, canonical).map_or_else(|error| error.to_string(), |name| name.to_string());
        assert_eq!(chosen, expected, "{system} {canonical:?}");
    }

    #[test]
    fn the_qualified_name_if_it_is_confirmed() {
        check("web3", Some("web3.example.com"), "web3.example.com");
        check("WEB3", Some("Web3.Example.com."), "web3.example.com");
        check("web3.example.com", Some("web3.example.com"), "web3.example.com");
        check("web3.example.com", Some("web3"), "web3.example.com");
        check("web3.example.com", Some("web3.lan"), "web3.example.com");
        check("web3", None, "web3");
        check("web3", Some("web3"), "web3");
        check("web3", Some("localhost"), "web3");
        check("web3", Some("localhost.localdomain"), "web3");
        check("web3", Some("other.example.com"), "web3");
        check("web3", Some("web_3.example.com"), "web3");
    }

    #[test]
    fn rule_05_a_name_of_the_system_that_is_none_is_refused() {
        check(
            "web_3",
            Some("web3.example.com"),
            "this machine calls itself `web_3`, which is refused: a hostname has letters, digits, hyphens and dots \
             only (byte 0x5f found)",
        );
        check("", None, "this machine calls itself ``, which is refused: a hostname may not be empty");
        check("localhost", None, "this machine has no name of its own (it calls itself `localhost`)");
        check(
            "localhost.localdomain",
            None,
            "this machine has no name of its own (it calls itself `localhost.localdomain`)",
        );
    }

    #[test]
    fn this_machine_has_an_answer() {
        // Whatever it is here: an answer comes, and it is a name or a reason.
        match own() {
            Ok(name) => assert_eq!(name.as_str().parse::<Hostname>().unwrap(), name),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
