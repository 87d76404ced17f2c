//! `vigo uninstall` undoes an enrolment on its machine, and nothing else.

use vigo_tests::{Machine, Server};

#[test]
fn what_was_enrolled_goes_and_the_server_is_not_asked() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let envoy = machine.envoy();
    let refused = machine.vigo(&["uninstall"]).run().failed(2);
    assert!(
        refused.starts_with("vigo: nothing was removed: there is no terminal to ask at\n  help: add --yes"),
        "{refused}"
    );
    assert_eq!(machine.envoy(), envoy, "it asked first");

    let told = machine.vigo(&["uninstall", "--yes"]).run().ok();
    let (config, state) = (machine.config_dir(), machine.state_dir());
    let expected = format!(
        "removed    {}\nremoved    {}\n\
         left       {}: the program; remove it where nothing else uses it\n\
         next: this machine stays enrolled until the server is told otherwise: vigocli envoys revoke {envoy}\n",
        config.display(),
        state.display(),
        std::env::current_exe().unwrap().parent().unwrap().with_file_name("vigo").display()
    );
    assert_eq!(told, expected);
    assert!(!config.exists() && !state.exists());
    assert_eq!(machine.vigo(&["uninstall", "--yes"]).run().ok(), "nothing of vigo was left here\n");

    // The command that it printed.
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);
    let _ = server.cli(&["--yes", "envoys", "revoke", &envoy]).ok();
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "revoked".to_owned())]);
}

#[test]
fn an_agent_that_runs_keeps_its_files() {
    let server = Server::start();
    let machine = Machine::enrolled("web1.example.com", &server);
    let mut daemon = machine.daemon();
    let _ = daemon.says("checking in");
    let refused = machine.vigo(&["uninstall", "--yes"]).run().failed(5);
    assert!(refused.contains("another vigo holds ") && refused.contains("stop the agent that runs"), "{refused}");
    assert!(machine.config_dir().join("config").is_file());
    daemon.stop();
    let _ = machine.vigo(&["uninstall", "--yes"]).run().ok();
    assert!(!machine.config_dir().exists());
}
