//! Every example says what it shows and how to run it, stands in the README, and has a test.

use std::fs;
use std::path::Path;

#[test]
fn every_example_is_documented_and_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut count = 0;
    for entry in root.join("src/bin").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let main = if path.is_dir() { path.join("main.rs") } else { path.clone() };
        let text = fs::read_to_string(&main).unwrap();
        assert!(text.starts_with("//! "), "{name} does not say what it shows");
        assert!(text.contains(&format!("//! cargo run -p vigo-examples --bin {name}")), "{name}: how is it run?");
        let link = main.strip_prefix(root).unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("| [`{name}`]({link}) |")), "{name} is not in the README");
        let test = fs::read_to_string(root.join(format!("tests/{name}.rs"))).unwrap_or_default();
        assert!(test.contains(&format!("CARGO_BIN_EXE_{name}")), "no test runs {name}");
        count += 1;
    }
    assert_eq!(count, 8);
}
