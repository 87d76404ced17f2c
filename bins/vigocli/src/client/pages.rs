use serde::Deserialize;
use serde_json::Value;

use super::{Client, bad_answer};
use crate::failure::Failure;
use crate::query::Query;

/// The most rows of one page.
const PAGE: u64 = 1000;
/// More than any fleet has: a server that pages without end is stopped.
const MOST: u64 = 10_000_000;

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

/// A list that the server sends page by page.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    query: Query,
    /// How many more rows are wanted.
    left: u64,
    cursor: Option<String>,
    done: bool,
}

impl Client {
    /// The list at `query`, at most `most` rows of it.
    pub(crate) fn pages(&self, query: Query, most: Option<u64>) -> Pages<'_> {
        let left = most.unwrap_or(MOST);
        Pages { client: self, query, left, cursor: None, done: left == 0 }
    }

    /// All rows at once.
    pub(crate) async fn all(&self, query: Query) -> Result<Vec<Value>, Failure> {
        let (mut pages, mut rows) = (self.pages(query, None), Vec::new());
        while let Some(page) = pages.next().await? {
            rows.extend(page);
        }
        Ok(rows)
    }
}

impl Pages<'_> {
    /// The rows of the next page; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        if self.done {
            return Ok(None);
        }
        let mut query = self.query.clone().with("limit", &self.left.min(PAGE).to_string());
        if let Some(cursor) = &self.cursor {
            query = query.with("cursor", cursor);
        }
        let Page { mut items, next } = self.client.get(query.as_str()).await?.parse()?;
        // A page that goes nowhere would be asked for again for ever.
        if next.is_some() && (next == self.cursor || items.is_empty()) {
            return Err(bad_answer("a list that does not end"));
        }
        items.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= items.len() as u64;
        self.done = next.is_none() || self.left == 0;
        self.cursor = next;
        Ok(Some(items))
    }
}
