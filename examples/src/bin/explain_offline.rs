//! Who may join, decided with rules from a file: no server, no store.
//!
//! ```sh
//! cargo run -p vigo-examples --bin explain_offline -- examples/data/rules.json web1.lab.example.com 10.1.0.7
//! ```
//!
//! Prints the verdict and what became of every rule. Ends with 0 if the host may join and with 5 if not, as `vigocli`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use vigo_core::record::ApprovedRecord;
use vigo_core::store::Revision;
use vigo_core::{ApprovalId, ClientAddr, Takeover};
use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
use vigo_enroll::{Facts, Request, Verdict, decide};

/// The file. Its words are texts until `rules` has made types of them that cannot be wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    trusted: Vec<Trusted>,
    approved: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trusted {
    pattern: String,
    cidrs: Vec<String>,
}

fn rules(file: &RulesFile) -> anyhow::Result<Rules> {
    let trusted = file.trusted.iter().map(|rule| {
        let cidrs = rule.cidrs.iter().map(|cidr| cidr.parse()).collect::<Result<_, _>>()?;
        Ok(TrustedRule::new(rule.pattern.parse()?, cidrs)?)
    });
    let approved = file.approved.iter().map(|pattern| {
        let record = ApprovedRecord {
            id: ApprovalId::from_random(vigo_examples::id()),
            pattern: pattern.parse()?,
            note: String::new(),
            created_at: vigo_examples::now(),
            created_by: "the file".to_owned(),
        };
        Ok((record, Revision::ZERO)) // of no store
    });
    let trusted = trusted.collect::<anyhow::Result<_>>()?;
    Ok(Rules::new(trusted, approved.collect::<anyhow::Result<_>>()?, Reenroll::Token))
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, hostname, address] = arguments.as_slice() else { bail!("usage: explain_offline FILE HOSTNAME ADDRESS") };
    let text = std::fs::read_to_string(file).with_context(|| file.clone())?;
    let rules = rules(&serde_json::from_str(&text).with_context(|| file.clone())?)?;
    let request = Request {
        hostname: hostname.parse()?,
        from: ClientAddr::new(address.parse().context("ADDRESS is an IP address")?),
        takeover: Takeover::No,
    };

    // A new machine without a token: whatever else is known of it comes in as facts too.
    let decision = decide(&request, &Facts::stranger(), &rules, vigo_examples::now());
    let code = match &decision.verdict {
        Verdict::Admit(grant) => {
            println!("admitted by {}", grant.way_in());
            ExitCode::SUCCESS
        }
        Verdict::Refuse(refusal) => {
            println!("refused: {} ({})", refusal.message(), refusal.code());
            ExitCode::from(5)
        }
    };
    for rule in &decision.trace {
        println!("  {:7} {}: {}", rule.outcome.word(), rule.rule, rule.outcome);
    }
    Ok(code)
}
