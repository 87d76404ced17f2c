//! What pages load: compiled in, named after its content, and so kept by browsers for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::http::error;

/// One file.
pub(super) struct Asset {
    /// Where it is.
    pub(super) url: String,
    /// What browsers compare it with.
    pub(super) integrity: String,
    kind: &'static str,
    bytes: &'static [u8],
}

static ALL: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset("vigo", "css", "text/css; charset=utf-8", include_bytes!("../../assets/vigo.css")),
        asset("vigo", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/vigo.js")),
        asset("htmx", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/htmx.min.js")),
        asset("icon", "svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
    ]
});

fn asset(stem: &str, extension: &str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = Sha256::digest(bytes);
    Asset {
        url: format!("/assets/{stem}-{}.{extension}", hex::encode(&digest[..8])),
        integrity: format!("sha256-{}", STANDARD.encode(digest)),
        kind,
        bytes,
    }
}

/// The style sheet, our script, htmx, the icon.
pub(super) fn all() -> [&'static Asset; 4] {
    ALL.each_ref()
}

/// `GET /assets/{file}`
pub(super) async fn serve(Path(file): Path<String>) -> Response {
    let found = ALL.iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(file.as_str()));
    match found {
        Some(asset) => {
            let headers =
                [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.bytes).into_response()
        }
        None => error::not_found().await.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn htmx_is_what_its_authors_published() {
        let digest = hex::encode(Sha256::digest(ALL[2].bytes));
        assert_eq!(digest, "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717");
        assert_eq!(ALL[2].url, "/assets/htmx-d6fdc75f204e6bde.js");
        assert!(ALL[2].integrity.starts_with("sha256-1v3HXyBOa976") && ALL[2].integrity.len() == 51);
    }
}
