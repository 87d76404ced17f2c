//! The API's own description, made from the handlers' types.

use std::sync::Arc;

use axum::response::IntoResponse;
use axum::{Extension, Json};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The description of the API, OpenAPI 3.1
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", responses((status = 200, body = serde_json::Value)))]
async fn show(Extension(document): Extension<Arc<OpenApi>>) -> impl IntoResponse {
    Json(document.as_ref().clone())
}

/// An error, as every refusal has it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its shape is what matters")]
struct Error {
    error: Told,
}

/// What was wrong, and what to do.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its shape is what matters")]
struct Told {
    /// Stable, snake_case.
    code: String,
    message: String,
    /// The next step.
    help: String,
}

/// What all operations have in common.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Vigo")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("What operators ask of a Vigo server. Times are RFC 3339 in UTC, lists come in pages."))
        .build();
    let components = document.components.get_or_insert_default();
    for (name, schema) in [("Error", Error::schema()), ("Told", Told::schema())] {
        components.schemas.insert(name.to_owned(), schema);
    }
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document.security = Some(vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
    let refusal = || {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build();
        ResponseBuilder::new().description("refused").content("application/json", content).build()
    };
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.delete, &mut path.put, &mut path.patch];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refusal()));
        }
    }
    document
}
