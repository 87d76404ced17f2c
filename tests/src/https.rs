//! A server's HTTPS side, asked by curl as anybody may.

use serde_json::Value;

use crate::process::Program;
use crate::server::Server;

/// The HTTPS side of one server, and its socket.
#[derive(Clone, Debug)]
pub struct Https {
    url: String,
    socket: String,
    headers: Vec<String>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Https {
    /// That of a server.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let socket = server.file("run/admin.sock").display().to_string();
        Self { url: server.api(), socket, headers: Vec::new() }
    }

    /// With headers in every request.
    #[must_use]
    pub fn with(&self, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        Self { headers, ..self.clone() }
    }

    /// Reads a path with an API token.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.ask("GET", path, token, None)
    }

    /// Sends JSON with an API token.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.ask("POST", path, token, Some(body))
    }

    /// Logs in as a browser does: the cookie.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    #[must_use]
    pub fn log_in_page(&self, name: &str, password: &str) -> String {
        let form = ["--data-urlencode", &format!("name={name}"), "--data-urlencode", &format!("password={password}")];
        let url = format!("{}/login", self.url);
        let head = Program::at("curl").args(["-ksSg", "-D", "-", "-o", "/dev/null", &url]).args(form).run().ok();
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        cookie.split(';').next().expect("a value").to_owned()
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut curl = Program::at("curl").args(["-ksSg", &format!("{}{path}", self.url)]);
        if let Some(token) = token {
            curl = curl.args(["-H", &format!("authorization: Bearer {token}")]);
        }
        for header in &self.headers {
            curl = curl.args(["-H", header]);
        }
        run(curl, method, body)
    }

    /// A request over the socket, as root or the server's own user.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn socket(&self, method: &str, path: &str, body: &Value) -> Answer {
        let curl = Program::at("curl").args(["-sSg", "--unix-socket", &self.socket, &format!("http://server{path}")]);
        run(curl, method, (!body.is_null()).then_some(body))
    }
}

#[track_caller]
fn run(curl: Program, method: &str, body: Option<&Value>) -> Answer {
    let mut curl = curl.args(["-X", method, "-w", "\n%{http_code}"]);
    if let Some(body) = body.filter(|_| method != "GET") {
        curl = curl.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
    }
    let said = curl.run().ok();
    let (body, status) = said.trim_end().rsplit_once('\n').expect("curl ends with the status");
    Answer { status: status.parse().expect("a status is a number"), body: body.to_owned() }
}
