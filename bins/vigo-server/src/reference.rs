//! What a reference of the API is written from.

use crate::access::Role;
use crate::http::authorise::{self, Needs};

/// A route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST`, `DELETE`.
    pub method: &'static str,
    /// As the description has it.
    pub path: &'static str,
    /// The smallest role that may use it.
    pub who: &'static str,
}

/// Every route, from the table that requests are held to.
#[must_use]
pub fn routes() -> Vec<Route> {
    let who = |needs: Needs| match needs {
        Needs::Nobody => "anybody, without a login",
        Needs::Anybody => "whoever is logged in",
        Needs::Role(Role::Viewer) => "viewer",
        Needs::Role(Role::Operator) => "operator",
        Needs::Role(Role::Admin) => "admin",
    };
    authorise::API.iter().map(|&(method, path, needs)| Route { method, path, who: who(needs) }).collect()
}

/// The description of the API, as `GET /api/v1/openapi.json` answers it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn openapi() -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(crate::admin::parts().1)
}
