//! The commands in the book, typed as they stand there, in order, against a real server; and nothing that looks like one
//! escapes.

use std::collections::BTreeMap;
use std::path::Path;

use vigo_server::Config;
use vigo_tests::book::{Block, Desk, blocks, commands, pages};
use vigo_tests::{Machine, Server, needs_tools, until};

/// A page whose `console` blocks are typed.
struct Page {
    path: &'static str,
    /// The envoys that its fleet has; the first is the machine that the page's `vigo` is.
    envoys: &'static [&'static str],
}

const PAGES: [Page; 9] = [
    Page { path: "quickstart.md", envoys: &[] },
    Page { path: "how-to/enrol.md", envoys: &[] },
    Page { path: "how-to/enrol-without-tokens.md", envoys: &[] },
    Page {
        path: "how-to/revoke.md",
        envoys: &["web1.example.com", "web2.example.com", "web3.example.com", "web4.example.com"],
    },
    Page { path: "how-to/back-up.md", envoys: &["web1.example.com"] },
    Page { path: "how-to/update-agents.md", envoys: &["web1.example.com"] },
    Page { path: "how-to/ca.md", envoys: &[] },
    Page { path: "how-to/log-in.md", envoys: &[] },
    Page { path: "how-to/monitor.md", envoys: &["web1.example.com"] },
];

/// The blocks that are not typed: page, language, how many, and why not. Pages of the reference are written from the code.
const NOT_TYPED: &[(&str, &str, usize, &str)] = &[
    ("how-to/enrol.md", "text", 1, "the line installs a service; first_minutes.rs and systemd_host.rs type it"),
    ("how-to/enrol.md", "powershell", 1, "there is no PowerShell here"),
    ("how-to/update-agents.md", "sh", 2, "builds for minutes; signing.rs types these commands"),
    ("how-to/proxy.md", "nginx", 1, "nginx's own"),
    ("how-to/embed.md", "rust", 2, "the examples themselves, each run by its own test"),
    ("how-to/monitor.md", "yaml", 2, "Prometheus's own"),
];

/// A page's blocks, without those of the reference.
fn book() -> BTreeMap<String, Vec<Block>> {
    let pages = pages().into_iter().filter(|(path, _)| !path.starts_with("reference/"));
    pages.map(|(path, text)| (path, blocks(&text))).collect()
}

fn is_config(path: &str, block: &Block) -> bool {
    block.language == "yaml" && !NOT_TYPED.iter().any(|row| (row.0, row.1) == (path, "yaml"))
}

/// A command, and the exit code that the page says it has.
fn expected(command: &str) -> (&str, i32) {
    match command.rsplit_once(" # exits ") {
        Some((command, code)) => (command, code.parse().expect("an exit code")),
        None => (command, 0),
    }
}

#[track_caller]
fn check(path: &str) {
    let test = format!("the commands of {path}");
    if !needs_tools(&test, &["curl", "openssl", "tar"]) {
        return;
    }
    let page = PAGES.iter().find(|page| page.path == path).expect("a page of the table");
    let blocks = &book()[path];
    // A page that shows a part of server.yaml means a server that has it.
    let sections = blocks.iter().find(|block| path == "how-to/enrol-without-tokens.md" && block.language == "yaml");
    let mut desk = Desk::new(sections.map_or("", |block| block.text.as_str()), page.envoys);
    let mut typed = 0;
    for block in blocks.iter().filter(|block| block.language == "console") {
        for command in commands(block) {
            let (command, code) = expected(&command);
            let ended = desk.type_in(command);
            assert_eq!(
                ended.code, code,
                "{path}:{}: $ {command}\nstdout: {}\nstderr: {}",
                block.line, ended.stdout, ended.stderr
            );
            typed += 1;
        }
    }
    assert!(typed > 0, "{path} has no commands: take it out of the table");
}

#[test]
fn quickstart() {
    check("quickstart.md");
}

#[test]
fn enrol() {
    check("how-to/enrol.md");
}

#[test]
fn enrol_without_tokens() {
    check("how-to/enrol-without-tokens.md");
}

#[test]
fn revoke() {
    check("how-to/revoke.md");
}

#[test]
fn back_up_and_restore() {
    check("how-to/back-up.md");
}

#[test]
fn update_agents() {
    check("how-to/update-agents.md");
}

#[test]
fn look_after_the_ca() {
    check("how-to/ca.md");
}

#[test]
fn log_in() {
    check("how-to/log-in.md");
}

#[test]
fn monitor() {
    check("how-to/monitor.md");
}

#[test]
fn no_block_escapes() {
    let mut untyped: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (path, blocks) in book() {
        for block in &blocks {
            match block.language.as_str() {
                "console" => {
                    assert!(PAGES.iter().any(|page| page.path == path), "{path}:{}: typed by no test", block.line);
                }
                _ if is_config(&path, block) => {}
                language => *untyped.entry((path.clone(), language.to_owned())).or_default() += 1,
            }
        }
    }
    let listed =
        NOT_TYPED.iter().map(|(path, language, count, _)| (((*path).to_owned(), (*language).to_owned()), *count));
    assert_eq!(untyped, listed.collect());
    let tests = include_str!("docs.rs");
    for page in &PAGES {
        assert!(tests.contains(&format!("check(\"{}\");", page.path)), "no test types {}", page.path);
    }
}

#[test]
fn configurations_are_taken_by_the_server() {
    let mut read = 0;
    for (path, blocks) in book() {
        for block in blocks.iter().filter(|block| is_config(&path, block)) {
            if let Err(error) = Config::parse(&block.text, Path::new("server.yaml")) {
                panic!("{path}:{}: {error}", block.line);
            }
            read += 1;
        }
    }
    assert!(read >= 4, "{read}");
}

/// The metrics that a text names.
fn metrics(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("vigo_") && word.len() > 5 && *word != "vigo_envoy").collect()
}

#[test]
fn metrics_of_the_book_are_the_servers() {
    let mut sources = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../bins/vigo-server/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let text = &pages()["how-to/monitor.md"];
    let named = metrics(text.split_once("Alerts").unwrap().1);
    assert!(named.len() > 4, "{named:?}");
    // Targets of tracing's filters are modules, not metrics.
    for name in named.into_iter().filter(|name| *name != "vigo_server") {
        assert!(sources.contains(&format!("\"{name}\"")), "how-to/monitor.md: {name} is no metric of the server");
    }
}

#[test]
fn what_is_read_of_a_page() {
    let page = "a\n```console\n$ one\n$ two \\\n    more\n$ three # exits 5\n```\n```text\nout\n```\n";
    let found = blocks(page);
    assert_eq!(
        found.iter().map(|block| (block.language.as_str(), block.line)).collect::<Vec<_>>(),
        [("console", 2), ("text", 8)]
    );
    assert_eq!(commands(&found[0]), ["one", "two \\\n    more", "three # exits 5"]);
    assert_eq!(expected("three # exits 5"), ("three", 5));
    assert_eq!(expected("one"), ("one", 0));
    assert_eq!(metrics("sum(vigo_envoys{status=\"stale\"})"), ["vigo_envoys"]);
}

/// `how-to/back-up.md`, "What an old backup forgets".
#[test]
fn an_old_backup_forgets_what_the_page_says() {
    let mut server = Server::start();
    let before = Machine::enrolled("before.example.com", &server);
    let audit = |server: &Server| {
        until("the audit chain covers everything", || {
            let verified = server.json(&["audit", "verify"]);
            (verified["uncovered"] == 0).then(|| verified["links"].as_u64().unwrap())
        })
    };
    audit(&server);
    server.stop();
    let (store, kept) = (server.file("db/vigo.redb"), server.file("kept"));
    std::fs::copy(&store, &kept).unwrap();

    server.run();
    let since = Machine::enrolled("since.example.com", &server);
    let _ = server.cli(&["--yes", "envoys", "revoke", "before.example.com"]).ok();
    let noted = audit(&server);
    let pins = (server.ca_pin(), server.leaf_pin());
    server.stop();
    std::fs::copy(&kept, &store).unwrap();
    // The page says of this file that it is made anew.
    std::fs::remove_file(server.file("tls/cert")).unwrap();
    server.run();

    assert_eq!((server.ca_pin(), server.leaf_pin()), pins, "the keys stay");
    assert!(audit(&server) < noted, "the chain is whole, and shorter than what was noted");
    assert_eq!(server.envoys(), [("before.example.com".to_owned(), "active".to_owned())], "a revocation is forgotten");
    let _ = before.check_in().ok();
    let said = since.check_in().failed(4);
    assert!(said.contains("knows no such envoy"), "{said}");
    assert_eq!(server.envoys().len(), 1, "nobody enrols anew by themselves");
    let token = server.token("since.example.com", &[]);
    let _ = since.bootstrap(&server, Some(&token), &["--force"]).ok();
    assert_eq!(server.envoys().len(), 2);
}
