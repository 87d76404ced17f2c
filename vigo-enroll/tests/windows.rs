//! The bootstrap script for Windows: its grammar by two readers, and the class that it compiles by a C# compiler.

#[path = "windows/key_check.rs"]
mod key_check;
#[path = "windows/lexer.rs"]
mod lexer;
#[path = "script/pki.rs"]
mod pki;
#[path = "windows/syntax.rs"]
mod syntax;
#[path = "windows/words.rs"]
mod words;

use vigo_core::Pin;
use vigo_enroll::script::{ScriptValues, WebCertificate, bootstrap_for_windows};

/// The script with these pins.
fn script(certificate: WebCertificate) -> String {
    let (server, api) = ("[fd00::1]:1530", "https://vigo.example.com:8443");
    let values = ScriptValues::new(server, api, Pin::from([0xca; 32]), Pin::from([0x1e; 32]), certificate);
    bootstrap_for_windows(&values.expect("good values"))
}

/// The C# that the script hands to the compiler.
fn compiled_source(script: &str) -> &str {
    let (_, rest) = script.split_once("-TypeDefinition @'\n").expect("the script compiles a class");
    rest.split_once("\n'@").expect("the class ends").0
}
