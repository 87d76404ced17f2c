//! The bootstrap script that a new machine pipes into its shell, and the line that does it.
//!
//! The script is static text. What is put into it was parsed first and is written out again by the type that parsed it,
//! so that nothing in it ever came from a request.

mod one_liner;
mod powershell;
mod system;
mod values;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use self::one_liner::{OneLiner, one_liner};
pub use self::powershell::{bootstrap_for_windows, one_liner_for_windows};
pub use self::system::{System, UnknownSystem};
pub use self::values::{ScriptError, ScriptValues, WebCertificate};

/// The script for every Unix, before its values are put in. `@NAME@` stands for a value. The braces are here, around all
/// of it.
const UNIX: &str = concat!(
    "{\n",
    include_str!("script/start.sh"),
    "\n",
    include_str!("script/flags.sh"),
    "\n",
    include_str!("script/trust.sh"),
    "\n",
    include_str!("script/platform.sh"),
    "\n",
    include_str!("script/place.sh"),
    "\n",
    include_str!("script/fetch.sh"),
    "\n",
    include_str!("script/openssl.sh"),
    "\n",
    include_str!("script/sign.sh"),
    "\n",
    include_str!("script/run.sh"),
    "}"
);

/// The bootstrap script for every Unix that a [`System`] names: POSIX sh, one `{ …; }` block, no newline after its last
/// brace, so that every copy that was cut short is a syntax error and does nothing.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::script::{ScriptValues, WebCertificate, bootstrap};
/// let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
/// let (server, api) = ("vigo.example.com:1530", "https://vigo.example.com:8443");
/// let script = bootstrap(&ScriptValues::new(server, api, ca, leaf, WebCertificate::OwnCa)?);
/// assert!(script.contains(server) && script.contains(&ca.to_curl()));
/// assert!(script.starts_with('{') && script.ends_with('}'));
/// # Ok::<(), vigo_enroll::script::ScriptError>(())
/// ```
#[must_use]
pub fn bootstrap(values: &ScriptValues) -> String {
    let trusted = match values.certificate() {
        WebCertificate::OwnCa => "no",
        WebCertificate::PubliclyTrusted => "yes",
    };
    UNIX.replace("@SERVER@", values.server())
        .replace("@API_ADDR@", values.api_addr())
        .replace("@CA_PIN@", &values.ca_pin().to_string())
        .replace("@CA_PIN_CURL@", &values.ca_pin().to_curl())
        .replace("@CA_PIN_TOKEN@", &URL_SAFE_NO_PAD.encode(values.ca_pin().as_bytes()))
        .replace("@LEAF_PIN@", &values.leaf_pin().to_string())
        .replace("@LEAF_PIN_CURL@", &values.leaf_pin().to_curl())
        .replace("@PUBLICLY_TRUSTED@", trusted)
}
