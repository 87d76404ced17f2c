//! Lists in pages: what a page looks like, and where the next one begins.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::error::ApiError;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// What to give as `cursor` for the next page; null at the end.
    pub(crate) next: Option<String>,
    /// How many there are on all pages.
    pub(crate) total: usize,
}

/// How much of a list, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// How many on a page.
    #[serde(default = "a_page")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: usize,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

pub(crate) const fn a_page() -> usize {
    100
}

/// A number of items that a page may have.
pub(crate) fn limit(limit: usize) -> Result<usize, ApiError> {
    match (1..=1000).contains(&limit) {
        true => Ok(limit),
        false => Err(ApiError::bad_request("`limit` is 1 to 1000", "leave it out for 100")),
    }
}

pub(crate) fn bad_cursor() -> ApiError {
    ApiError::bad_request("the cursor is none that this list gave", "begin again without a cursor")
}

impl Part {
    /// The page of a list that is in the order of `key`.
    pub(crate) fn of<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, ApiError> {
        let limit = limit(self.limit)?;
        let after = match &self.cursor {
            Some(cursor) => Some(URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?),
            None => None,
        };
        let total = items.len();
        let is_behind = |item: &T| after.as_ref().is_none_or(|after| key(item).as_bytes() > after.as_slice());
        let mut items: Vec<T> = items.into_iter().filter(is_behind).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Ok(Page { items, next, total })
    }
}

/// What stands behind the `?`, in the form that our errors have when it cannot be read.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|error| ApiError::bad_request(error.to_string(), "`/api/v1/openapi.json` lists what it takes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_none_is_lost() {
        let all: Vec<u32> = (0..25).collect();
        let key = |n: &u32| format!("{n:05}");
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = Part { limit: 10, cursor }.of(all.clone(), key).unwrap();
            assert_eq!(page.total, 25);
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        for (limit, cursor) in [(0, None), (1001, None), (10, Some("?".to_owned()))] {
            assert_eq!(Part { limit, cursor }.of(all.clone(), key).unwrap_err().code, "malformed");
        }
    }
}
