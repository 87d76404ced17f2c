//! Lists, page by page.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{Client, bad_answer};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::printable::Printable;
use crate::query::Query;
use crate::table::Style;
use crate::{Exit, Format};

/// Shows the list at `query`, at most `most` rows. JSON lines leave as each page comes; a table and an array need all.
pub(crate) async fn show<T: DeserializeOwned>(
    context: &mut Context<'_>,
    query: Query,
    most: Option<u64>,
    render: impl FnOnce(&[T], &Style) -> String,
) -> Result<Exit, Failure> {
    let client = context.client()?;
    if context.global.output == Format::Jsonl {
        lines(&client, &mut context.out, query, most).await?;
        return Ok(Exit::Ok);
    }
    let (mut pages, mut rows) = (client.pages(query, most), Vec::new());
    while let Some(page) = pages.next().await? {
        rows.extend(page);
    }
    if context.global.output == Format::Table {
        let rows = rows.into_iter().map(row).collect::<Result<Vec<T>, Failure>>()?;
        context.out.show_rows(&rows, render)?;
    } else {
        context.out.show_value(&Value::Array(rows))?;
    }
    Ok(Exit::Ok)
}

async fn lines(client: &Client, out: &mut Output<'_>, query: Query, most: Option<u64>) -> Result<(), Failure> {
    let mut pages = client.pages(query, most);
    // A reader that left wants no more pages.
    while !out.is_closed()
        && let Some(page) = pages.next().await?
    {
        out.show_value(&Value::Array(page))?;
    }
    Ok(())
}

/// Prints the ids of the rows, one a line, as each page comes.
pub(crate) async fn ids(context: &mut Context<'_>, query: Query) -> Result<Exit, Failure> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: Printable,
    }
    let client = context.client()?;
    let mut pages = client.pages(query, None);
    while !context.out.is_closed()
        && let Some(page) = pages.next().await?
    {
        let mut lines = String::new();
        for value in page {
            lines += row::<Id>(value)?.id.as_str();
            lines.push('\n');
        }
        context.out.write(&lines)?;
    }
    Ok(Exit::Ok)
}

/// A row as what it should be.
pub(crate) fn row<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| bad_answer(&error.to_string()))
}
