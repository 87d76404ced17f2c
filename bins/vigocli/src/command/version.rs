use serde_json::json;

use crate::Exit;
use crate::context::Context;
use crate::failure::Failure;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    context.out.show_own(&json!({"version": VERSION}), |_, _| format!("vigocli {VERSION}\n"))?;
    Ok(Exit::Ok)
}
