//! What was measured, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// One kind of operation.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// How often.
    pub count: u64,
    /// How long all of it took.
    pub wall: Duration,
    /// What the server spent on it.
    pub cpu: Duration,
    /// What the floor spent on as many of the same kind.
    pub floor: Option<Duration>,
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
    /// Lines below the table.
    pub notes: Vec<String>,
}

impl Row {
    fn micros(&self, span: Duration) -> f64 {
        span.as_secs_f64() * 1e6 / self.count as f64
    }

    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.cpu.as_secs_f64() / floor.as_secs_f64())
    }
}

impl Table {
    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "what": row.what,
                "count": row.count,
                "per_second": row.count as f64 / row.wall.as_secs_f64(),
                "server_cpu_us": row.micros(row.cpu),
                "floor_cpu_us": row.floor.map(|floor| row.micros(floor)),
                "ratio": row.ratio(),
            })
        });
        json!({"rows": rows.collect::<Vec<_>>(), "notes": self.notes})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<44}{:>8}{:>10}{:>16}{:>14}{:>9}",
            "", "count", "per s", "server µs each", "floor µs each", "ratio"
        )?;
        for row in &self.rows {
            let per_second = row.count as f64 / row.wall.as_secs_f64();
            let floor = row.floor.map_or("-".to_owned(), |floor| format!("{:.1}", row.micros(floor)));
            let ratio = row.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            writeln!(
                f,
                "{:<44}{:>8}{:>10.0}{:>16.1}{:>14}{:>9}",
                row.what,
                row.count,
                per_second,
                row.micros(row.cpu),
                floor,
                ratio
            )?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}
