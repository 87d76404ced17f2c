use clap::Subcommand;
use serde::Deserialize;

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::Style;
use crate::time::Moment;

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Show the pins of the CA and of the server's own certificate
    #[command(after_help = "Examples:\n  vigocli ca show\n  vigocli ca show -o json")]
    Show,
}

#[derive(Deserialize)]
struct Authority {
    pins: Vec<Printable>,
    ca_not_after: Moment,
    leaf_not_after: Moment,
    server_id: Printable,
    can_sign: bool,
}

impl Ca {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Self::Show = self;
        let reply = context.client()?.get("/api/v1/ca").await?;
        context.out.show(&reply, show)?;
        Ok(Exit::Ok)
    }
}

fn show(ca: &Authority, style: &Style) -> String {
    let pin = |n: usize| ca.pins.get(n).map_or_else(|| "-".to_owned(), ToString::to_string);
    let enrols = if ca.can_sign { "yes" } else { "no: this server has no CA key (server.tls.ca_key_file)" };
    style.fields([
        ("Server ID", ca.server_id.to_string()),
        ("CA pin", pin(0)),
        ("CA expires", style.time(Some(&ca.ca_not_after))),
        ("Leaf pin", pin(1)),
        ("Leaf expires", style.time(Some(&ca.leaf_not_after))),
        ("Can enrol", enrols.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[test]
    fn the_authority() {
        let sent = serde_json::json!({"pins": ["sha256:aa", "sha256:bb"], "ca_not_after": "2036-05-13T11:03:00Z",
            "leaf_not_after": "2027-05-13T11:03:00Z", "server_id": "77aa", "can_sign": false});
        let expected = "\
Server ID:     77aa
CA pin:        sha256:aa
CA expires:    2036-05-13 13:03
Leaf pin:      sha256:bb
Leaf expires:  2027-05-13 13:03
Can enrol:     no: this server has no CA key (server.tls.ca_key_file)
";
        assert_eq!(show(&serde_json::from_value(sent).unwrap(), &plain()), expected);
    }
}
