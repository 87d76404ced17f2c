//! What a reply calls for besides holding its policy, and how it is carried out.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use vigo_core::{DirectiveAction, DirectiveId, DirectiveResult, Notice, RegistrationKind, Takeover};

use crate::envoy::{Envoy, Taken};
use crate::post::Post;
use crate::register::{Order, register};
use crate::update::{self, Build, Installed, Ledger, UpdateError, Wish};
use crate::{Failure, Paths};

/// What is to be done before the next check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing.
    None,
    /// Install what the server offers.
    Update(Wish),
    /// Enrol anew in place.
    Reenroll(DirectiveId),
    /// Say that this version knows no such directive.
    Unknown(DirectiveId),
    /// Say again what became of one.
    Tell(DirectiveId),
}

/// What follows once a duty was seen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next check-in is due when it was.
    Wait,
    /// The server should hear of it now.
    CheckIn,
    /// Another version is in this program's place.
    Restart,
}

impl Duty {
    /// What an accepted check-in calls for.
    pub(crate) fn of(taken: &Taken, build: &Build, ledger: &Ledger) -> Self {
        match taken.directive {
            Some(directive) if ledger.has_settled(directive.id) => Self::Tell(directive.id),
            Some(directive) => match directive.action {
                DirectiveAction::Update => Self::Update(Wish::Directed(directive.id)),
                DirectiveAction::Reenroll => Self::Reenroll(directive.id),
                _ => Self::Unknown(directive.id),
            },
            None => match &taken.offered {
                // Part of another program: that one's maker updates it.
                Some(offered) if *offered != build.version && build.program.is_some() => Self::Update(Wish::Offered),
                _ => Self::None,
            },
        }
    }
}

impl Duty {
    /// What is left to do while it is not known which updates failed before: to say so, and what needs no update.
    pub(crate) fn without_ledger(taken: &Taken, envoy: &mut Envoy, error: &UpdateError) -> Self {
        match taken.directive {
            Some(directive) if envoy.has_told(directive.id) => Self::None,
            Some(directive) if directive.action == DirectiveAction::Reenroll => Self::Reenroll(directive.id),
            Some(directive) => {
                envoy.tell_result(DirectiveResult { id: directive.id, failure: Some(error.notice()) });
                Self::Tell(directive.id)
            }
            None => Self::None,
        }
    }
}

/// Sees to a duty.
pub(crate) async fn see_to(
    duty: Duty,
    taken: &Taken,
    envoy: &mut Envoy,
    post: &mut Post,
    (paths, provider, build): (&Paths, &Arc<CryptoProvider>, &Build),
) -> Next {
    let failure = match duty {
        Duty::None => return Next::Wait,
        Duty::Update(wish) => match update::update(envoy, post, paths, build, wish).await {
            Ok(Installed::Now(version)) => {
                tracing::info!(%version, "installed; starting it");
                return Next::Restart;
            }
            Ok(Installed::Skipped(_)) => return Next::Wait,
            Ok(Installed::Same) => match wish {
                Wish::Directed(id) => return settle(envoy, paths, id, None),
                Wish::Offered | Wish::Here => return Next::Wait,
            },
            Err(failed) if failed.error.may_pass() => {
                tracing::warn!(error = %failed.error, "no update this time");
                return Next::Wait;
            }
            Err(failed) => {
                let version = failed.version.as_ref().or(taken.offered.as_ref()).unwrap_or(&build.version);
                let news = update::note_failure(paths, &failed, version, wish);
                if news {
                    tracing::warn!(code = failed.error.code(), "not updated: {}", failed.error);
                }
                if let Wish::Directed(id) = wish {
                    envoy.tell(id);
                }
                return if news { Next::CheckIn } else { Next::Wait };
            }
        },
        Duty::Reenroll(id) => match reenroll(envoy, paths, provider, build).await {
            Ok(()) => return Next::CheckIn,
            Err(failure) => (id, failure),
        },
        Duty::Unknown(id) => {
            let what = "this version of the agent does not know that directive";
            (id, Notice { code: "unsupported".to_owned(), message: what.to_owned() })
        }
        Duty::Tell(id) => {
            envoy.tell(id);
            return Next::CheckIn;
        }
    };
    settle(envoy, paths, failure.0, Some(failure.1))
}

/// Writes down what became of a directive, to be told at once.
fn settle(envoy: &mut Envoy, paths: &Paths, id: DirectiveId, failure: Option<Notice>) -> Next {
    if let Some(failure) = &failure {
        tracing::warn!(code = failure.code, "the directive was not carried out: {}", failure.message);
    }
    let told = failure.clone();
    let written = Ledger::read(paths).and_then(|mut ledger| {
        ledger.settle(id, failure);
        ledger.write(paths)
    });
    match written {
        Ok(()) => {
            envoy.tell(id);
            Next::CheckIn
        }
        Err(error) => {
            tracing::error!(%error, "what became of a directive is not written down");
            envoy.tell_result(DirectiveResult { id, failure: told });
            Next::CheckIn
        }
    }
}

/// Registers again as the same host, proved by the identity that it has: no token, no operator at this machine.
async fn reenroll(envoy: &Envoy, paths: &Paths, provider: &Arc<CryptoProvider>, build: &Build) -> Result<(), Notice> {
    let config = envoy.config();
    let order = Order {
        server: config.server.clone(),
        api: config.api.clone(),
        pins: envoy.pins(),
        token: None,
        hostname: config.hostname.clone(),
        takeover: Takeover::Asked,
    };
    match register(paths, provider, &build.platform(), &order, RegistrationKind::Enrol).await {
        Ok(registered) => {
            tracing::info!(envoy = %registered.config.envoy, "enrolled anew, as directed");
            Ok(())
        }
        Err(error) => {
            let Failure { code, message, .. } = Failure::from(&error);
            Err(UpdateError::clean(code, &message))
        }
    }
}
