//! What other programs say of the script, and what stands in it.

use std::fs;
use std::process::Command;

use vigo_enroll::script::{WebCertificate, bootstrap};

use crate::shells::is_there;
use crate::world::{Fetcher, World, values};

#[test]
fn shellcheck_and_checkbashisms_are_silent() {
    let world = World::new(Fetcher::Nothing);
    let file = world.at("bootstrap.sh");
    for certificate in [WebCertificate::OwnCa, WebCertificate::PubliclyTrusted] {
        let text = bootstrap(&values("vigo.example.com:1530", "https://vigo.example.com:8443", certificate));
        fs::write(&file, &text).expect("a file");
        for (program, flags) in [("shellcheck", &["-s", "sh"][..]), ("checkbashisms", &["--force", "--posix"])] {
            if is_there(program, "lint") {
                let output = Command::new(program).args(flags).arg(&file).output().expect("it runs");
                let said =
                    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                let said: Vec<&str> = said
                    .lines()
                    // It is piped to a shell, never executed.
                    .filter(|line| {
                        !line.contains("does not appear to have a #!") && *line != "you may get strange results"
                    })
                    .collect();
                assert!(said.is_empty(), "{program}: {said:#?}");
            }
        }
    }
}

#[test]
fn rule_02_the_script_is_one_block_and_every_value_is_in() {
    let text = bootstrap(&values("[fd00::1]:1530", "https://vigo.example.com", WebCertificate::OwnCa));
    assert!(text.starts_with("{\n") && text.ends_with("\n}"));
    assert!(text.is_ascii(), "there are shells that read nothing else in the C locale");
    assert!(text.contains("server='[fd00::1]:1530'") && text.contains("api_addr='https://vigo.example.com:443'"));
    let marks: Vec<&str> = text.lines().filter(|line| line.contains("@") && !line.contains("\"$@\"")).collect();
    assert!(marks.is_empty(), "{marks:?}");
}
