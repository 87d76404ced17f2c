//! Replaces this program by the one that the server offers: only what a compiled-in key signed, only after the new one
//! has shown that it checks in.
//!
//! The order is what makes every crash harmless. The manifest is verified before the binary is fetched, the binary before
//! it is run, and it is run beside the old one, as its child, before it takes the old one's place. Until the last rename
//! the old program is the one that starts at boot.

mod error;
mod fetch;
mod ledger;
mod offer;
mod slot;
mod this_build;
mod trial;

pub use error::UpdateError;
pub use this_build::{Build, TrialTime};

pub(crate) use ledger::{Ledger, Opened};
pub(crate) use offer::check_self;
pub(crate) use slot::{NEXT, previous, remove_others};
pub(crate) use trial::Trial;

use std::path::Path;

use vigo_core::{AgentVersion, DirectiveId, SigningKeys};

use crate::envoy::Envoy;
use crate::line::Line;
use crate::post::Post;
use crate::{Paths, clock, os};
use offer::Offer;
use slot::Slot;
use trial::Unfit;

/// Who wants an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The server offers another version: what failed here before is left alone.
    Offered,
    /// A person at this machine: what failed before is tried again.
    Here,
    /// An operator, by a directive: likewise.
    Directed(DirectiveId),
}

/// What an update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// The version that is offered runs already.
    Same,
    /// What is offered failed here before.
    Skipped(AgentVersion),
    /// It is in this program's place.
    Now(AgentVersion),
}

/// What there is to install.
#[derive(Debug)]
pub(crate) enum Found {
    /// The version that runs.
    Same,
    /// One that failed here before.
    Skipped(AgentVersion),
    /// Another, whose manifest is good.
    Newer(Box<Offer>),
}

/// An update that was not installed, and as much as is known of it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: UpdateError,
    pub(crate) version: Option<AgentVersion>,
    sha256: Option<[u8; 32]>,
}

impl From<UpdateError> for Failed {
    fn from(error: UpdateError) -> Self {
        let version = match &error {
            UpdateError::Refused { version, .. } => Some(version.clone()),
            _ => None,
        };
        Self { error, version, sha256: None }
    }
}

/// Looks at what the server offers: its manifest is fetched and verified, its binary is not touched.
pub(crate) async fn look(line: &Line, paths: &Paths, build: &Build, wish: Wish) -> Result<Found, UpdateError> {
    let keys = keys(build)?;
    let ledger = Ledger::read(paths)?;
    let Offer { manifest } = Offer::fetch(line, &build.target, keys).await?;
    if manifest.version == build.version {
        return Ok(Found::Same);
    }
    let floor = ledger.floor()?.unwrap_or_else(|| build.version.clone());
    let checked = manifest.check(&build.target, &build.version, &floor, clock::now());
    checked.map_err(|refusal| UpdateError::Refused { version: manifest.version.clone(), refusal })?;
    if wish == Wish::Offered && ledger.skips(&manifest.sha256, clock::now()) {
        return Ok(Found::Skipped(manifest.version));
    }
    Ok(Found::Newer(Box::new(Offer { manifest })))
}

fn keys(build: &Build) -> Result<&SigningKeys, UpdateError> {
    if build.keys.as_slice().is_empty() { Err(UpdateError::NoKey) } else { Ok(&build.keys) }
}

/// Installs what the server offers, if it is good. The program that runs goes on either way; after `Now` another is in its
/// place, and starts when this one ends.
pub(crate) async fn update(
    envoy: &mut Envoy,
    post: &mut Post,
    paths: &Paths,
    build: &Build,
    wish: Wish,
) -> Result<Installed, Failed> {
    keys(build)?;
    let line = envoy.line().await.map_err(UpdateError::from)?;
    let offer = match look(line, paths, build, wish).await? {
        Found::Same => return Ok(Installed::Same),
        Found::Skipped(version) => return Ok(Installed::Skipped(version)),
        Found::Newer(offer) => offer,
    };
    let (version, sha256) = (offer.manifest.version.clone(), offer.manifest.sha256);
    let failed = |error| Failed { error, version: Some(version.clone()), sha256: Some(sha256) };
    tracing::info!(%version, "fetching");
    let slot = async {
        let slot = Slot::open(build.program()?, &offer.manifest)?;
        fetch::fetch(line, slot, &offer.manifest).await
    };
    let slot = slot.await.map_err(failed)?;
    let begun = Ledger::read(paths).and_then(|mut ledger| {
        ledger.begin(&version, &sha256, wish);
        ledger.write(paths)
    });
    if let Err(error) = begun {
        slot.remove();
        return Err(failed(error));
    }
    tracing::info!(%version, "verified; trying it");
    post.leave();
    envoy.hang_up();
    let tried = trial::run(slot.path(), &version, paths, build.trial).await;
    let back = post.come_back(paths).await.map_err(UpdateError::Post);
    match tried {
        Ok(()) => back.map_err(failed)?,
        // Who cannot check in either has no reason to blame the build: it stays, to be tried again.
        Err(Unfit::Silent(_)) if envoy.check_in(paths).await.is_err() => {
            return Err(failed(UpdateError::Outage(version.clone())));
        }
        Err(Unfit::Silent(why) | Unfit::Broken(why)) => {
            slot.remove();
            return Err(failed(UpdateError::Trial { version: version.clone(), why }));
        }
    }
    install(slot, &version, paths, build).map_err(failed)?;
    prove(&version, envoy, post, paths, build).await.map_err(failed)?;
    Ok(Installed::Now(version))
}

/// The floor first: from here on nothing older is installed, whatever becomes of the rename.
fn install(slot: Slot, version: &AgentVersion, paths: &Paths, build: &Build) -> Result<(), UpdateError> {
    let floor = Ledger::read(paths).and_then(|mut ledger| {
        ledger.raise_floor(version)?;
        ledger.write(paths)
    });
    match floor {
        Ok(()) => slot.install(build.program()?),
        Err(error) => {
            slot.remove();
            Err(error)
        }
    }
}

/// What took the program's place must check in from there too, as the daemon that it is from now on and not as one on
/// trial: this process watches it do so once, and only then lets go. Otherwise the one before it is put back.
async fn prove(
    version: &AgentVersion,
    envoy: &mut Envoy,
    post: &mut Post,
    paths: &Paths,
    build: &Build,
) -> Result<(), UpdateError> {
    let program = build.program()?;
    post.leave();
    let proved = trial::prove(program, version, paths, envoy.id(), build.trial).await;
    if let Err(error) = post.come_back(paths).await {
        // It is wanted for what comes next, and not for what was done.
        tracing::warn!(%error, "the post is not taken again yet");
    }
    let Err(unfit) = proved else { return Ok(()) };
    go_back(program).map_err(|source| UpdateError::Write { path: program.to_owned(), source })?;
    let version = version.clone();
    Err(match unfit {
        Unfit::Broken(why) => UpdateError::Trial { version, why },
        Unfit::Silent(_) if envoy.check_in(paths).await.is_err() => UpdateError::Outage(version),
        Unfit::Silent(why) => UpdateError::NeverCheckedIn { version, why },
    })
}

/// Puts the program that was replaced into its place again.
pub(crate) fn go_back(program: &Path) -> std::io::Result<()> {
    let (previous, failed) = (slot::previous(program), slot::previous(program).with_extension("failed"));
    previous.metadata()?;
    os::here().exchange(&previous, program, &failed)?;
    std::fs::remove_file(failed)
}

/// Writes down what failed, for check-ins to tell. `true`: that is news.
pub(crate) fn note_failure(paths: &Paths, failed: &Failed, version: &AgentVersion, wish: Wish) -> bool {
    let noted = Ledger::read(paths).and_then(|mut ledger| {
        let news = ledger.fail(&failed.error, version, failed.sha256.as_ref(), wish, clock::now());
        ledger.write(paths)?;
        Ok(news)
    });
    noted.unwrap_or_else(|error| {
        tracing::error!(%error, "the failed update is not written down");
        false
    })
}
