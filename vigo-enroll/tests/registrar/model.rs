//! What the rules say, told once more in as few words as possible: a few hosts, keys and tokens.

use vigo_enroll::rules::Reenroll;

pub(crate) const HOSTS: [&str; 3] = ["a.example.com", "b.example.com", TRUSTED];
/// Admitted by a trusted rule.
pub(crate) const TRUSTED: &str = "c.example.com";
pub(crate) const KEYS: usize = 6;

/// The tokens that there are.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The one host that it is for; `None`: all of them.
    pub(crate) host: Option<usize>,
    pub(crate) uses: u32,
    pub(crate) replaces: bool,
    /// In seconds from the beginning.
    pub(crate) expires: u64,
    revoked: bool,
}

pub(crate) fn tokens() -> Vec<Token> {
    let token = |host, uses, replaces, expires| Token { host, uses, replaces, expires, revoked: false };
    vec![
        token(Some(0), 1, false, 10_000),
        token(None, 3, false, 10_000),
        token(None, 2, true, 10_000),
        token(Some(1), 2, false, 60),
    ]
}

/// A registration: which key asks for which host, and by what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) key: usize,
    pub(crate) host: usize,
    pub(crate) token: Option<usize>,
    pub(crate) forced: bool,
    /// The key of an older envoy that it proves to hold.
    pub(crate) proof: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Active,
    Revoked,
    Replaced,
    Deleted,
}

#[derive(Clone, Debug)]
struct Envoy {
    host: usize,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    key: usize,
    window: Option<u64>,
}

/// The fleet.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    mode: Reenroll,
    pub(crate) now: u64,
    pub(crate) tokens: Vec<Token>,
    /// The envoy of each key: a key enrols once.
    envoys: [Option<Envoy>; KEYS],
    claims: [Option<Claim>; HOSTS.len()],
}

/// An admission: in words, and whose place it takes.
struct Admitted {
    told: String,
    replaced: Option<usize>,
}

impl Model {
    pub(crate) fn new(mode: Reenroll) -> Self {
        Self { mode, now: 0, tokens: tokens(), envoys: Default::default(), claims: Default::default() }
    }

    pub(crate) fn envoys(&self) -> usize {
        self.envoys.iter().flatten().count()
    }

    pub(crate) fn active(&self) -> usize {
        self.envoys.iter().flatten().filter(|envoy| envoy.fate == Fate::Active).count()
    }

    /// The key that has a host's name, or had it last.
    pub(crate) fn holder(&self, host: usize) -> Option<usize> {
        self.claims[host].map(|claim| claim.key)
    }

    /// What is told to a registration that was stored before.
    pub(crate) fn again(&self, asked: &Asked) -> &'static str {
        match self.fate(asked.key) {
            Some(Fate::Active) => "enrolled before",
            _ => "envoy_revoked",
        }
    }

    /// What is told to a new registration; what comes of it comes.
    pub(crate) fn register(&mut self, asked: &Asked) -> String {
        match self.judge(asked) {
            Err(code) => code.to_owned(),
            Ok(Admitted { told, replaced }) => {
                if let Some(token) = asked.token {
                    self.tokens[token].uses -= 1;
                }
                if let Some(old) = replaced.and_then(|key| self.envoys[key].as_mut()) {
                    old.fate = Fate::Replaced;
                }
                self.envoys[asked.key] = Some(Envoy { host: asked.host, fate: Fate::Active });
                self.claims[asked.host] = Some(Claim { key: asked.key, window: None });
                told
            }
        }
    }

    fn fate(&self, key: usize) -> Option<Fate> {
        self.envoys[key].as_ref().map(|envoy| envoy.fate)
    }

    fn judge(&self, asked: &Asked) -> Result<Admitted, &'static str> {
        let proved = asked.proof.filter(|key| {
            self.envoys[*key].as_ref().is_some_and(|old| old.fate == Fate::Active && old.host == asked.host)
        });
        match asked.token {
            Some(token) => self.good(&self.tokens[token], asked.host)?,
            None if proved.is_some() || HOSTS[asked.host] == TRUSTED => {}
            None => return Err("not_admitted"),
        }
        match self.fate(asked.key) {
            None => {}
            Some(Fate::Active) => return Err("identity_used"),
            Some(_) => return Err("envoy_revoked"),
        }
        let Some(claim) = self.claims[asked.host] else {
            return Ok(Admitted { told: "enrolled".to_owned(), replaced: None });
        };
        let active = self.fate(claim.key) == Some(Fate::Active);
        if active && !asked.forced {
            return Err("hostname_taken");
        }
        let strong = asked.token.is_some_and(|t| self.tokens[t].host.is_some() || self.tokens[t].replaces);
        let permit = if active && proved == Some(claim.key) {
            "proof"
        } else if strong && self.mode != Reenroll::Proof {
            "token"
        } else if claim.window.is_some_and(|until| until > self.now) {
            "allow-reenroll"
        } else if active && self.mode == Reenroll::Any {
            "any"
        } else {
            return Err(if active { "hostname_taken" } else { "hostname_revoked" });
        };
        let how = if active { "replaced" } else { "allowed" };
        Ok(Admitted { told: format!("enrolled, {how} by {permit}"), replaced: active.then_some(claim.key) })
    }

    fn good(&self, token: &Token, host: usize) -> Result<(), &'static str> {
        if token.uses == 0 {
            Err("token_used")
        } else if token.revoked {
            Err("token_rejected (token_revoked)")
        } else if token.expires <= self.now {
            Err("token_rejected (token_expired)")
        } else if token.host.is_some_and(|only| only != host) {
            Err("token_rejected (token_other_host)")
        } else {
            Ok(())
        }
    }

    /// An operator revokes a host's envoy.
    pub(crate) fn revoke(&mut self, host: usize) -> &'static str {
        self.take_out(host, Fate::Revoked)
    }

    /// An operator deletes a host's envoy.
    pub(crate) fn delete(&mut self, host: usize) -> &'static str {
        self.take_out(host, Fate::Deleted)
    }

    fn take_out(&mut self, host: usize, fate: Fate) -> &'static str {
        let Some(claim) = &mut self.claims[host] else { return "not_found" };
        let Some(envoy) = &mut self.envoys[claim.key] else { return "not_found" };
        match (envoy.fate, fate) {
            (Fate::Deleted, _) => return "not_found",
            (Fate::Active, _) => claim.window = None,
            (Fate::Revoked | Fate::Replaced, Fate::Revoked) => return "ok",
            (Fate::Revoked | Fate::Replaced, _) => {}
        }
        envoy.fate = fate;
        "ok"
    }

    /// An operator allows a host's name for so long.
    pub(crate) fn allow(&mut self, host: usize, secs: u64) -> &'static str {
        let Some(claim) = &mut self.claims[host] else { return "not_found" };
        claim.window = Some(self.now + secs);
        "ok"
    }

    pub(crate) fn revoke_token(&mut self, token: usize) {
        self.tokens[token].revoked = true;
    }
}
