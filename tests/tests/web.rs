//! The web pages, as somebody with a browser uses them: log in, add a machine, see it appear, revoke it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::path::Path;

use serde_json::json;
use vigo_tests::browser::Browser;
use vigo_tests::{Client, Https, Machine, Options, Server, needs_tools};

const PASSWORD: &str = "correct horse battery";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn server() -> Server {
    let server = Server::with(&Options::default());
    let admin = json!({"name": "ada", "role": "admin", "password": PASSWORD});
    assert_eq!(Https::of(&server).socket("POST", "/api/v1/accounts", &admin).status, 200);
    server
}

async fn log_in(browser: &Browser, server: &Server) {
    browser.open(&format!("{}/envoys", server.api())).await;
    browser.until("location.pathname === '/login'").await;
    browser.fill("name", "ada").await;
    browser.fill("password", PASSWORD).await;
    browser.click("main button.primary").await;
    browser.until("location.pathname === '/envoys'").await;
}

/// Opens a form of the actions, types which machine is meant, and sends it.
async fn confirm(browser: &Browser, form: &str, typed: &str) {
    browser.run(&format!("document.querySelector(\"{form}\").closest('details').open = true")).await;
    let field = format!("{form} [name=confirm]");
    let field = browser.client.find(fantoccini::Locator::Css(&field)).await.unwrap();
    field.send_keys(typed).await.unwrap();
    browser.click(&format!("{form} button")).await;
}

/// Keeps a picture where the book has it, if the test suite was asked to (`VIGO_SCREENSHOTS`); looks at it anyway.
async fn picture(browser: &Browser, name: &str) {
    for width in [1440, 360] {
        let png = browser.picture(width).await;
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{name}: {} bytes", png.len());
        // Nothing is wider than the window but what scrolls in a box of its own.
        let wide = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(wide, false, "{name} is wider than {width} pixels");
        #[expect(clippy::disallowed_methods, reason = "the pictures of the book are made on request")]
        if std::env::var_os("VIGO_SCREENSHOTS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/images");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{name}-{width}.png")), png).unwrap();
        }
    }
    browser.client.set_window_size(1440, 900).await.unwrap();
}

/// Nothing that a screen reader's user stumbles over, and nothing that the browser had to block.
async fn sound(browser: &Browser, name: &str) {
    assert_eq!(browser.complaints().await, [""; 0], "{name}");
    assert_eq!(browser.findings().await, [""; 0], "{name}");
}

#[test]
fn a_machine_is_added_seen_and_revoked_in_a_browser() {
    if !needs_tools("a_machine_is_added_seen_and_revoked_in_a_browser", &["chromium", "chromedriver"]) {
        return;
    }
    let server = server();
    runtime().block_on(async {
        let browser = Browser::start(1440).await;
        browser.open(&format!("{}/envoys", server.api())).await;
        sound(&browser, "login").await;
        picture(&browser, "login").await;
        log_in(&browser, &server).await;
        assert!(browser.text().await.contains("No machine is enrolled yet"));
        sound(&browser, "empty").await;
        picture(&browser, "empty").await;

        browser.click("a[href='/add']").await;
        sound(&browser, "add").await;
        picture(&browser, "add").await;
        browser.fill("pattern", "web1.example.com").await;
        browser.click("main button.primary").await;
        browser.until("document.getElementById('line') !== null").await;
        let line = browser.run("return document.getElementById('line').textContent").await;
        let line = line.as_str().unwrap().to_owned();
        assert!(line.contains("--ca-pin sha256:") && line.contains("--pinnedpubkey"), "{line}");
        sound(&browser, "added").await;
        let token = line.split("--token ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

        // A second window looks at the list while the machine enrols. Neither is reloaded.
        let list = Browser::start(1440).await;
        log_in(&list, &server).await;
        list.run("window.untouched = true").await;
        browser.run("window.untouched = true").await;
        let machine = Machine::new("web1.example.com");
        let config = machine.register(&server, Some(&token), &[]);
        assert!(config.ok().contains("enrolled"));
        list.until("document.body.innerText.includes('web1.example.com')").await;
        browser.until("document.body.innerText.includes('1 of 1')").await;
        assert_eq!(list.run("return window.untouched").await, true);
        assert_eq!(browser.run("return window.untouched").await, true);
        sound(&list, "envoys").await;
        picture(&list, "envoys").await;

        // Paused, nothing moves; the pause is seen.
        list.click("[data-pause]").await;
        assert!(list.text().await.contains("Paused"));

        browser.open(&format!("{}/envoys/web1.example.com", server.api())).await;
        sound(&browser, "envoy").await;
        picture(&browser, "envoy").await;
        let id = browser.run("return document.querySelector('#identity ~ dl dd').textContent").await;
        let revoke = format!("form[action='/envoys/{}/revoke']", id.as_str().unwrap());
        confirm(&browser, &revoke, "web2").await;
        browser.until("document.body.innerText.includes('what you typed is not web1.example.com')").await;
        confirm(&browser, &revoke, "web1.example.com").await;
        browser.until("location.search === '?done=revoked'").await;

        assert!(list.run("return document.querySelector('td .active') !== null").await == true, "it was paused");
        list.click("[data-pause]").await;
        list.until("document.querySelector('td .revoked') !== null").await;
        assert_eq!(list.run("return window.untouched").await, true);

        for (path, name) in [
            ("/dashboard", "dashboard"),
            ("/tokens", "tokens"),
            ("/rules?hostname=web9.example.com&ip=10.1.0.2", "rules"),
            ("/ca", "certificates"),
            ("/audit?verify=1", "audit"),
            ("/access", "access"),
            ("/account", "account"),
        ] {
            browser.open(&format!("{}{path}", server.api())).await;
            sound(&browser, name).await;
            picture(&browser, name).await;
        }
        browser.click("form[action='/logout'] button").await;
        browser.until("location.pathname === '/login'").await;
        browser.open(&format!("{}/envoys", server.api())).await;
        browser.until("location.pathname === '/login'").await;
        list.close().await;
        browser.close().await;
    });
}

#[test]
fn what_a_machine_says_of_itself_never_becomes_markup() {
    if !needs_tools("what_a_machine_says_of_itself_never_becomes_markup", &["chromium", "chromedriver"]) {
        return;
    }
    let server = server();
    let evil = "\"><img src=x onerror=window.hacked=1><script>window.hacked=1</script>";
    let token = server.token("web1.example.com", &["--note", evil]);
    runtime().block_on(async {
        let mut client = Client::enrol(&server.grpc(), "web1.example.com", 1, &token).await;
        client.platform.agent_version = evil.chars().take(64).collect();
        client.platform.os = "<b>linux".to_owned();
        let mut line = client.connect().await.unwrap();
        client.check_in(&mut line, None).await.unwrap();
        let browser = Browser::start(1440).await;
        log_in(&browser, &server).await;
        let query = "?search=%22%3E%3Cscript%3Ewindow.hacked%3D1%3C%2Fscript%3E";
        for path in [
            "/envoys",
            "/envoys/web1.example.com",
            "/tokens",
            "/audit",
            &format!("/envoys{query}"),
            &format!("/audit{query}"),
            "/rules?hostname=%3Cscript%3E&ip=%22%3E",
        ] {
            browser.open(&format!("{}{path}", server.api())).await;
            assert_eq!(browser.run("return window.hacked === undefined").await, true, "{path}");
            let strangers =
                "return document.querySelectorAll('img, b:not(main b), script:not([src]), [onerror]').length";
            assert_eq!(browser.run(strangers).await, 0, "{path}");
            assert_eq!(browser.complaints().await, [""; 0], "{path}");
        }
        browser.open(&format!("{}/envoys", server.api())).await;
        assert!(browser.text().await.contains("<b>linux"), "{}", browser.text().await);
        browser.close().await;
    });
}
