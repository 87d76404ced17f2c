//! Who may ask the server what, over HTTPS: accounts, API tokens, roles, and what an attacker tries.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use serde_json::{Value, json};
use vigo_tests::{Answer, Daemon, Https, Machine, Program, Server};

const PASSWORD: &str = "correct horse battery";

/// A server with an account of each role, named after it.
fn server() -> (Server, Https) {
    let server = Server::start();
    let https = Https::of(&server);
    for role in ["viewer", "operator", "admin"] {
        let made = https.socket("POST", "/api/v1/accounts", &json!({"name": role, "role": role, "password": PASSWORD}));
        assert_eq!(made.status, 200, "{made:?}");
    }
    (server, https)
}

#[track_caller]
fn log_in(https: &Https, name: &str) -> String {
    let answer = https.post("/api/v1/login", None, &json!({"name": name, "password": PASSWORD}));
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("vgot_") && token.len() == 48, "{}", token.len());
    token
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_route_asks_for_its_role() {
    let (_server, https) = server();
    let tokens: Vec<(&str, String)> =
        ["viewer", "operator", "admin"].iter().map(|role| (*role, log_in(&https, role))).collect();
    let document = https.get("/api/v1/openapi.json", Some(&tokens[0].1)).json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let (method, path) =
                (method.to_uppercase(), path.replace("{envoy}", "nobody").replace("{name}", "no.body"));
            let path = path.replace("{id}", "00000000000000000000000000000000");
            if path == "/api/v1/events" || path == "/api/v1/login" || path == "/api/v1/logout" {
                continue;
            }
            asked += 1;
            let stranger = https.ask(&method, &path, None, Some(&json!({})));
            assert_eq!((stranger.status, code(&stranger).as_str()), (401, "not_logged_in"), "{method} {path}");
            let forged = https.ask(&method, &path, Some(&format!("vgot_{}", "A".repeat(43))), Some(&json!({})));
            assert_eq!(forged.status, 401, "{method} {path}");
            let changes = method != "GET" && path != "/api/v1/enroll/explain";
            let own = path.starts_with("/api/v1/api-tokens");
            let accounts =
                (path.starts_with("/api/v1/accounts") && !path.ends_with("/password")) || path == "/api/v1/doctor";
            for (role, token) in &tokens {
                let answer = https.ask(&method, &path, Some(token), Some(&json!({})));
                let refused = match *role {
                    "viewer" => (changes && !own && !path.ends_with("/password")) || accounts,
                    "operator" => accounts,
                    _ => false,
                };
                assert_eq!(answer.status == 403, refused, "{role} {method} {path}: {answer:?}");
                assert!(operation["responses"]["default"].is_object(), "{path}");
            }
        }
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn a_login_ends_with_its_account_its_password_and_its_logout() {
    let (_server, https) = server();
    let who = |token: &str| https.get("/api/v1/whoami", Some(token));
    let token = log_in(&https, "operator");
    assert_eq!(who(&token).json()["role"], "operator");

    // A role is what it is now, not what it was.
    let changed = https.socket("POST", "/api/v1/accounts/operator/role", &json!({"role": "viewer"}));
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(who(&token).json()["role"], "viewer");

    let second = log_in(&https, "operator");
    assert_eq!(https.post("/api/v1/logout", Some(&second), &json!({})).json(), json!({"revoked": true}));
    assert_eq!((who(&second).status, who(&token).status), (401, 200));

    let password = json!({"password": "another battery staple", "current": PASSWORD});
    let changed = https.post("/api/v1/accounts/operator/password", Some(&token), &password);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(who(&token).status, 401);
    let old = https.post("/api/v1/login", None, &json!({"name": "operator", "password": PASSWORD}));
    assert_eq!((old.status, code(&old).as_str()), (401, "login_failed"));

    let token = log_in(&https, "viewer");
    assert_eq!(https.socket("DELETE", "/api/v1/accounts/viewer", &Value::Null).status, 200);
    assert_eq!(who(&token).status, 401);
}

#[test]
fn nobody_gets_more_than_they_have() {
    let (_server, https) = server();
    let operator = log_in(&https, "operator");
    let refused = https.post("/api/v1/api-tokens", Some(&operator), &json!({"name": "ci", "role": "admin"}));
    assert_eq!((refused.status, code(&refused).as_str()), (403, "not_allowed"));
    let made =
        https.post("/api/v1/api-tokens", Some(&operator), &json!({"name": "ci", "role": "viewer", "ttl_secs": 60}));
    let ci = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(https.get("/api/v1/envoys", Some(&ci)).status, 200);
    let refused = https.post("/api/v1/tokens", Some(&ci), &json!({"pattern": "web1.example.com"}));
    assert_eq!((refused.status, code(&refused).as_str()), (403, "not_allowed"));

    // Others' tokens are neither seen nor revoked.
    let viewer = log_in(&https, "viewer");
    let seen = https.get("/api/v1/api-tokens", Some(&viewer)).json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "its own login: {seen}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/api-tokens/{id}/revoke");
    assert_eq!(https.post(&path, Some(&viewer), &json!({})).status, 403);
    assert_eq!(https.post(&path, Some(&operator), &json!({})).status, 200);
    assert_eq!(https.get("/api/v1/envoys", Some(&ci)).status, 401);

    // A token that no account stands behind makes no others.
    let made = https.socket("POST", "/api/v1/api-tokens", &json!({"name": "bot", "role": "admin"}));
    let bot = made.json()["token"].as_str().unwrap().to_owned();
    let refused = https.post("/api/v1/api-tokens", Some(&bot), &json!({"name": "x", "role": "viewer"}));
    assert_eq!((refused.status, code(&refused).as_str()), (403, "not_allowed"));

    // The last admin stays one.
    let admin = log_in(&https, "admin");
    for (method, path, body) in [
        ("DELETE", "/api/v1/accounts/admin", json!({})),
        ("POST", "/api/v1/accounts/admin/role", json!({"role": "viewer"})),
    ] {
        let refused = https.ask(method, path, Some(&admin), Some(&body));
        assert_eq!((refused.status, code(&refused).as_str()), (409, "last_admin"), "{path}");
    }
}

#[test]
fn a_burst_of_guesses_in_parallel_gains_nothing() {
    let (server, https) = server();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let guess = |n: usize| {
            let https = https.clone();
            scope.spawn(move || {
                https.post(
                    "/api/v1/login",
                    None,
                    &json!({"name": "admin", "password": format!("guess {n:03} of many")}),
                )
            })
        };
        let guesses: Vec<_> = (0..40).map(guess).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let count = |wanted: &str| answers.iter().filter(|answer| code(answer) == wanted).count();
    // Ten at once, and one more in each six seconds that these take.
    assert!((10..=15).contains(&count("login_failed")), "{}", count("login_failed"));
    assert_eq!(count("login_failed") + count("too_many_logins"), 40);
    let right = https.post("/api/v1/login", None, &json!({"name": "admin", "password": PASSWORD}));
    assert_eq!((right.status, code(&right).as_str()), (429, "too_many_logins"));
    let (outcome, _) = server.last_audit("login");
    assert_eq!(outcome, "login_failed");
}

#[test]
fn another_sites_page_cannot_have_a_browser_act() {
    let (_server, https) = server();
    let admin = log_in(&https, "admin");
    let body = json!({"pattern": "web1.example.com"});
    for (headers, status) in [
        (&[("sec-fetch-site", "cross-site")][..], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", "https://evil.example.com")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[], 200),
    ] {
        let answer = https.with(headers).post("/api/v1/tokens", Some(&admin), &body);
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        assert_eq!(code(&answer) == "cross_site", status == 403, "{headers:?}");
    }
}

#[test]
fn what_is_kept_opens_nothing() {
    let (mut server, https) = server();
    let token = log_in(&https, "admin");
    server.stop();
    let kept = std::fs::read(server.file("db/vigo.redb")).unwrap();
    let has = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!has(&token) && !has(&token[5..]) && !has(PASSWORD));
}

/// curl, following a stream; it ends with 0 when the server ends the stream, with another code when it is cut off.
fn follow(server: &Server, path: &str, header: &str) -> Daemon {
    let url = format!("{}{path}", server.api());
    let mut curl = Program::at("curl").args(["-ksSNv", "-o", "/dev/null", "-H", header, &url]).daemon();
    curl.says("< HTTP/2 200");
    curl
}

#[test]
fn a_stream_ends_with_the_login_that_began_it() {
    let (server, https) = server();
    let machine = Machine::enrolled("web1.example.com", &server);
    for path in ["/api/v1/events", "/envoys/events"] {
        let token = log_in(&https, "viewer");
        let mut curl = follow(&server, path, &format!("authorization: Bearer {token}"));
        assert_eq!(https.post("/api/v1/logout", Some(&token), &json!({})).status, 200);
        // Whoever logged out hears of none of these.
        assert_eq!(machine.check_in().code, 0);
        assert_eq!(curl.ends().code(), Some(0), "{path}: {}", curl.all());
    }
    let cookie = https.log_in_page("viewer", PASSWORD);
    let mut curl = follow(&server, "/envoys/events", &format!("cookie: {cookie}"));
    let out = https.with(&[("cookie", &cookie)]).ask("POST", "/logout", None, None);
    assert_eq!(out.status, 303, "{out:?}");
    assert_eq!(machine.check_in().code, 0);
    assert_eq!(curl.ends().code(), Some(0), "{}", curl.all());
}

#[test]
fn a_server_that_stops_ends_the_streams_in_good_order() {
    let (mut server, https) = server();
    let bearer = format!("authorization: Bearer {}", log_in(&https, "viewer"));
    let curls = ["/api/v1/events", "/envoys/events"].map(|path| follow(&server, path, &bearer));
    server.stop();
    for mut curl in curls {
        assert_eq!(curl.ends().code(), Some(0), "{}", curl.all());
    }
}

#[test]
fn a_password_in_the_field_of_the_name_is_written_nowhere() {
    let (mut server, https) = server();
    let typed = "my-secret-passw0rd";
    let refused = https.post("/api/v1/login", None, &json!({"name": typed, "password": "x"}));
    assert_eq!((refused.status, code(&refused).as_str()), (401, "login_failed"));
    assert_eq!(server.last_audit("login").0, "login_failed");
    assert!(!server.json(&["audit", "list"]).to_string().contains(typed));
    assert!(!server.process().all().contains(typed));
}
