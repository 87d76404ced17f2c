//! What happens to envoys, as it happens.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Client, Stream, bad_answer};
use crate::context::Context;
use crate::failure::Failure;
use crate::filters::{Filters, Status};
use crate::printable::Printable;
use crate::sse::{Event, Parser};
use crate::{Exit, Format, clock, list};

/// How long it waits before it connects again, at first and at most.
const WAIT: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    filters: Filters,
}

#[derive(Deserialize)]
struct Change {
    id: Printable,
    hostname: Printable,
    status: Printable,
    change: Printable,
}

/// What else the filters look at.
#[derive(Deserialize)]
struct Row {
    id: Printable,
}

impl Watch {
    /// Until Ctrl-C, or nobody reads any more.
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
            ended = self.follow(context) => ended,
        }
    }

    async fn follow(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut stream = client.stream("/api/v1/events").await?;
        loop {
            self.read(&client, &mut stream, context).await?;
            if context.out.is_closed() {
                return Ok(Exit::Ok);
            }
            drop(stream);
            tell(context, "the connection ended; connecting again");
            stream = again(&client).await?;
            tell(context, "connected again; what happened meanwhile is not shown, `vigocli envoys list` has it");
        }
    }

    /// Shows what comes until the stream ends.
    async fn read(&self, client: &Client, stream: &mut Stream, context: &mut Context<'_>) -> Result<(), Failure> {
        let mut parser = Parser::default();
        while let Some(bytes) = stream.chunk().await {
            let events = match parser.feed(&bytes) {
                Ok(events) => events,
                Err(error) => {
                    tell(context, &format!("the server sent {error}"));
                    return Ok(());
                }
            };
            for event in events {
                self.take(client, &event, context).await?;
                if context.out.is_closed() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn take(&self, client: &Client, event: &Event, context: &mut Context<'_>) -> Result<(), Failure> {
        match event.name.as_str() {
            "lost" => tell(context, "the server had more changes than it could send; `vigocli envoys list` has them"),
            "envoy" => {
                let value: Value = serde_json::from_str(&event.data).map_err(|error| bad_answer(&error.to_string()))?;
                let change: Change = list::row(value.clone())?;
                if self.wants(client, &change).await? {
                    show(&change, value, clock::now(), context)?;
                }
            }
            // A newer server may say more.
            _ => {}
        }
        Ok(())
    }

    /// Whether the filters let it through. What the event itself does not tell, the server is asked for.
    async fn wants(&self, client: &Client, change: &Change) -> Result<bool, Failure> {
        let Filters { status, pattern, search, seen_before, expires_before } = &self.filters;
        if let Some(pattern) = pattern
            && !change.hostname.as_str().parse().is_ok_and(|hostname| pattern.matches(&hostname))
        {
            return Ok(false);
        }
        let pending = status.contains(&Status::UpdatePending);
        if !status.is_empty() && !pending && !status.iter().any(|status| status.name() == change.status.as_str()) {
            return Ok(false);
        }
        if !pending && search.is_none() && seen_before.is_none() && expires_before.is_none() {
            return Ok(true);
        }
        let mut filters = self.filters.clone();
        filters.pattern = change.hostname.as_str().parse().ok();
        let rows = client.all(filters.query("/api/v1/envoys")).await?;
        let rows = rows.into_iter().map(list::row).collect::<Result<Vec<Row>, Failure>>()?;
        Ok(rows.iter().any(|row| row.id == change.id))
    }
}

fn show(change: &Change, value: Value, now: Timestamp, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.global.output != Format::Table {
        let mut whole = json!({"at": now.to_string()});
        if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), value) {
            whole.extend(fields);
        }
        return context.out.show_line(&whole);
    }
    let at = now.to_zoned_datetime(context.out.style().zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    context.out.write(&format!("{at}  {}  {}  {}\n", change.hostname, change.status, change.change))
}

/// Tries until it is connected. What the server refuses it will refuse again.
async fn again(client: &Client) -> Result<Stream, Failure> {
    let mut wait = WAIT;
    loop {
        sleep(wait).await;
        match client.stream("/api/v1/events").await {
            Err(failure) if failure.exit() == Exit::Unreachable => wait = (wait * 2).min(LONGEST),
            answered => return answered,
        }
    }
}

/// Says it on stderr; where that is closed there is nobody to tell.
fn tell(context: &mut Context<'_>, what: &str) {
    let _ = writeln!(context.err, "vigocli: {what}");
}
