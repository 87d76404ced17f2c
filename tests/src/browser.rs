//! A real browser: Debian's Chromium, driven over WebDriver (W3C) by chromedriver.

use std::net::TcpListener;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use crate::process::{Daemon, Program};
use crate::within;

/// A browser with nothing in it. It ends when closed, and with its driver when dropped.
pub struct Browser {
    /// What drives it.
    pub client: Client,
    driver: Option<Daemon>,
}

impl Browser {
    /// Starts one with a window so wide.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(width: u32) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Program::at("chromedriver").args([format!("--port={port}")]).daemon();
        let options = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb",
                "--hide-scrollbars", "--disable-background-networking", format!("--window-size={width},900"),
            ]},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities: Capabilities = serde_json::from_value(options).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        assert!(within(std::time::Duration::from_secs(30), answers).is_some(), "chromedriver does not answer");
        let client = ClientBuilder::new(connector()).capabilities(capabilities).connect(&url).await.unwrap();
        Self { client, driver: Some(driver) }
    }

    /// Opens a page.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Types into the field of a form that has this name.
    ///
    /// # Panics
    /// When there is none.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.client.find(Locator::Css(&format!("main [name={name}]"))).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks what a selector finds first.
    ///
    /// # Panics
    /// When there is none.
    pub async fn click(&self, selector: &str) {
        self.client
            .find(Locator::Css(selector))
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"))
            .click()
            .await
            .unwrap();
    }

    /// Waits until a script returns true.
    ///
    /// # Panics
    /// When it has not after a minute.
    pub async fn until(&self, script: &str) {
        for _ in 0..600 {
            if self.run(&format!("return {script}")).await == true {
                return;
            }
            crate::pause(std::time::Duration::from_millis(100));
        }
        panic!("a minute went by without {script}: {}", self.text().await);
    }

    /// What a script returns.
    ///
    /// # Panics
    /// When it fails.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// What is read on the page.
    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Each serious or critical finding of axe on this page: `rule: elements`.
    ///
    /// # Panics
    /// When axe does not run.
    pub async fn findings(&self) -> Vec<String> {
        self.client.execute(include_str!("../assets/axe.min.js"), vec![]).await.unwrap();
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document).then(found => done(found.violations
                .filter(one => one.impact === 'serious' || one.impact === 'critical')
                .map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' | '))), error => done([String(error)]));";
        let found = self.client.execute_async(script, vec![]).await.unwrap();
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the browser complained of since the last time: blocked scripts and styles, errors of scripts.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn complaints(&self) -> Vec<String> {
        let asked = self.client.issue_cmd(crate::browser::Log).await.unwrap();
        let said = asked.as_array().unwrap().iter();
        said.filter(|one| one["level"] == "SEVERE").map(|one| one["message"].to_string()).collect()
    }

    /// A picture of the whole page at this width.
    ///
    /// # Panics
    /// When it cannot be taken.
    pub async fn picture(&self, width: u32) -> Vec<u8> {
        self.client.set_window_size(width, 900).await.unwrap();
        let height = self.run("return Math.max(700, document.documentElement.scrollHeight)").await.as_u64().unwrap();
        self.client.set_window_size(width, u32::try_from(height.min(2400)).unwrap() + 10).await.unwrap();
        self.client.screenshot().await.unwrap()
    }

    /// Ends it.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let Some(mut driver) = self.driver.take() else { return };
        // Asked to end it ends its browser too, which killed it would leave behind.
        let pid = rustix::process::Pid::from_raw(i32::try_from(driver.id()).unwrap()).unwrap();
        if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok() {
            driver.ends();
        }
    }
}

fn connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

/// Chromium's own command for what stands in its console.
#[derive(Debug)]
struct Log;

impl fantoccini::wd::WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}
