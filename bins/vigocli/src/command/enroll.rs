use std::fs;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;
use vigo_core::{Hostname, TokenText};

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::{Style, cell};

#[derive(Subcommand)]
pub(crate) enum Enroll {
    /// Tell whether a host could enrol now, and why; nothing is changed
    #[command(after_help = "\
Examples:
  vigocli enroll explain --hostname web3.example.com --ip 10.1.0.2
  vigocli enroll explain --hostname web3.example.com --ip 10.1.0.2 --token-file ./token

Exit code: 0 it would be let in, 5 it would be refused.")]
    Explain(Explain),
}

#[derive(Args)]
pub(crate) struct Explain {
    /// The name that the host would ask for
    #[arg(long)]
    hostname: Hostname,
    /// The address that it would come from
    #[arg(long)]
    ip: IpAddr,
    /// The token that it would bring
    #[arg(long, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with that token, - for stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Explained {
    verdict: Verdict,
    rule: Option<Printable>,
    code: Option<Printable>,
    message: Printable,
    help: Option<Printable>,
    trace: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Admit,
    Refuse,
}

#[derive(Deserialize)]
struct Step {
    rule: Printable,
    outcome: Printable,
    reason: Printable,
}

impl Enroll {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Self::Explain(Explain { hostname, ip, token, token_file }) = self;
        let token = match token_file {
            Some(file) => Some(read_token(&file)?),
            None => token.map(TokenText::new),
        };
        let token = token.as_ref().map(TokenText::reveal);
        let question = json!({"hostname": hostname.as_str(), "ip": ip, "token": token});
        let reply = context.client()?.post("/api/v1/enroll/explain", &question).await?;
        let explained: Explained = reply.parse()?;
        context.out.show(&reply, explain)?;
        Ok(match explained.verdict {
            Verdict::Admit => Exit::Ok,
            Verdict::Refuse => Exit::Refused,
        })
    }
}

/// Far more than a token has.
const MAX_TOKEN_FILE: u64 = 4096;

fn read_token(file: &Path) -> Result<TokenText, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().take(MAX_TOKEN_FILE).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|open| open.take(MAX_TOKEN_FILE).read_to_string(&mut text))
    };
    let text = TokenText::new(text);
    match read {
        Ok(_) => Ok(TokenText::new(text.reveal().trim().to_owned())),
        Err(error) => Err(Failure::new(Exit::Failed, "token_file", format!("cannot read {}: {error}", file.display()))),
    }
}

fn explain(explained: &Explained, style: &Style) -> String {
    let mut fields = vec![("Verdict", if explained.verdict == Verdict::Admit { "admit" } else { "refuse" }.to_owned())];
    for (name, value) in [
        ("Rule", explained.rule.as_ref()),
        ("Code", explained.code.as_ref()),
        ("Reason", Some(&explained.message)),
        ("Next step", explained.help.as_ref()),
    ] {
        fields.extend(value.map(|value| (name, value.to_string())));
    }
    let steps = explained.trace.iter().map(|step| [cell(&step.rule), cell(&step.outcome), cell(&step.reason)]);
    format!("{}\n{}", style.fields(fields), style.table(["RULE", "OUTCOME", "~REASON"], steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[test]
    fn rule_07_the_decision_is_shown_with_every_rule() {
        let sent = json!({
            "verdict": "refuse", "rule": null, "code": "not_admitted", "message": "No rule lets web3.example.com in",
            "help": "vigocli tokens generate --pattern web3.example.com",
            "trace": [
                {"rule": "token", "outcome": "skipped", "reason": "none given"},
                {"rule": "trusted[0]", "outcome": "lost", "reason": "*.dev.* does not take web3.example.com"},
            ],
        });
        let expected = "\
Verdict:    refuse
Code:       not_admitted
Reason:     No rule lets web3.example.com in
Next step:  vigocli tokens generate --pattern web3.example.com

RULE        OUTCOME  REASON
token       skipped  none given
trusted[0]  lost     *.dev.* does not take web3.example.com
";
        assert_eq!(explain(&serde_json::from_value(sent).unwrap(), &plain()), expected);
    }
}
