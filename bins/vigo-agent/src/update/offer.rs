//! What the server says of its build: a manifest and a signature. Nothing else of its answer counts.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use vigo_core::{AgentManifest, AgentTarget, Pin, SignedManifest, SigningKeys};

use super::{Build, UpdateError};
use crate::line::Line;
use crate::{Exit, Failure, clock};

/// The most bytes of the answer.
const MAX_ANSWER: usize = 64 * 1024;

/// A build whose manifest was verified.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) manifest: AgentManifest,
}

#[derive(Deserialize)]
struct Latest {
    manifest: Option<String>,
    signature: Option<String>,
}

impl Offer {
    /// Asks, and verifies the manifest before anything of it is believed.
    pub(super) async fn fetch(line: &Line, target: &AgentTarget, keys: &SigningKeys) -> Result<Self, UpdateError> {
        let path = format!("/api/v1/agent/latest?os={}&arch={}", target.os(), target.arch());
        let mut answer = line.get(&path, &[]).await?;
        let text = answer.all(MAX_ANSWER).await?;
        let latest: Latest = serde_json::from_slice(&text).map_err(|_| UpdateError::Answer("not the JSON expected"))?;
        let (Some(manifest), Some(signature)) = (latest.manifest, latest.signature) else {
            return Err(UpdateError::Unsigned);
        };
        Ok(Self { manifest: signed(&manifest, &signature)?.verify(keys.as_slice())? })
    }
}

fn signed(manifest: &str, signature: &str) -> Result<SignedManifest, UpdateError> {
    let decode = |text: &str, most: usize| STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= most);
    let text = decode(manifest, AgentManifest::MAX_BYTES).ok_or(UpdateError::Answer("the manifest is no base64"))?;
    let signature = decode(signature, 64).ok_or(UpdateError::Answer("the signature is no base64"))?;
    SignedManifest::try_from((text, signature.as_slice())).map_err(|_| UpdateError::Answer("a signature has 64 bytes"))
}

/// Before this program is installed for the first time: that it is the build which a pinned key signed, and takes updates
/// by that key from now on.
pub(crate) fn check_self(
    build: &Build,
    pin: Pin,
    manifest: Option<&str>,
    signature: Option<&str>,
    program: &Path,
) -> Result<(), Failure> {
    let refuse = |code: &str, what: &str| Failure::new(Exit::Auth, code, what).help("nothing was sent or changed");
    let key = build.keys.as_slice().iter().find(|key| key.pin() == pin).ok_or_else(|| {
        let what = match build.keys.as_slice() {
            [] => "this agent was built without a signing key, so it cannot have the one of --signing-pin".to_owned(),
            keys => format!("this agent takes updates by the key {}, not by the one of --signing-pin", keys[0].pin()),
        };
        refuse("signing_pin_mismatch", &what)
            .help("have the server offer a build that was made with that key: SIGN_KEY=… cargo xtask dist-agent")
    })?;
    let (Some(manifest), Some(signature)) = (manifest, signature) else {
        return Err(refuse("agent_unsigned", "--signing-pin needs the manifest and the signature of this agent"));
    };
    let checked = || -> Result<(), UpdateError> {
        let manifest = signed(manifest, signature)?.verify(&[*key])?;
        let refused = |refusal| UpdateError::Refused { version: manifest.version.clone(), refusal };
        let bytes = std::fs::read(program).map_err(|source| UpdateError::Write { path: program.to_owned(), source })?;
        manifest.check_binary(&bytes).map_err(refused)?;
        manifest.check(&build.target, &build.version, &build.version, clock::now()).map_err(refused)
    };
    checked().map_err(|error| refuse(error.code(), &error.to_string()))
}
