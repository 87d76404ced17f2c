//! `vigo-server check`: everything that a start would find, without serving.

use std::path::Path;

use anyhow::Context as _;

use crate::agents::{self, Agents};
use crate::app;
use crate::config::Config;
use crate::home::Home;

/// Checks configuration, files, store and policies; gives the lines to print.
///
/// # Errors
/// With the first thing that is wrong, as a start would say it. A home that was never started is not made, and nothing
/// in one is changed.
pub async fn run(path: &Path) -> anyhow::Result<String> {
    let config = Config::read(path)?;
    let dir = Config::home_of(path);
    let store = dir.join(&config.store.path);
    if !store.exists() && !dir.join(&config.server.tls.ca_file).exists() {
        return Ok(format!("{}: good; the first start makes the fleet", path.display()));
    }
    let checked = Home::check(&config, &dir).await?;
    if let Some(store) = &checked.store {
        app::rules(&config, store).await.context("the enrolment rules")?;
    }
    let stacks = vigo_policy::Stacks::load(&dir.join(&config.stacks.dir))?;
    let mut lines = vec![
        format!("{}: good", path.display()),
        format!("fleet {}", checked.server),
        format!("CA    {}", checked.ca_pin),
    ];
    lines.extend(agents(&config, &dir).await?);
    lines.extend(checked.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(stacks.warnings().iter().map(|warning| format!("warning: {warning}")));
    Ok(lines.join("\n"))
}

/// The agents that would be offered, a line each; one that is not, as a warning.
async fn agents(config: &Config, dir: &Path) -> anyhow::Result<Vec<String>> {
    let keys = agents::signing_keys(&config.agents.signing_keys.0).context("agents.signing_keys")?;
    let found = Agents::new(dir.join(&config.agents.dir), keys).all().await;
    Ok(found
        .into_iter()
        .filter_map(|(target, found)| match found {
            Ok(Some(build)) => {
                let signed = build
                    .signed
                    .map_or("not signed: no updates".to_owned(), |signed| format!("signed by {}", signed.key.pin()));
                Some(format!("agent {target} {}, {signed}", build.version))
            }
            Ok(None) => None,
            Err(error) => Some(format!("warning: {error}")),
        })
        .collect())
}
