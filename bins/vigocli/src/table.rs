use std::fmt::Display;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};
use jiff::tz::TimeZone;

use crate::printable::Printable;
use crate::time::Moment;

/// How results look to people.
pub(crate) struct Style {
    pub(crate) zone: TimeZone,
    pub(crate) width: Option<u16>,
    pub(crate) color: bool,
}

/// The narrowest that free text is wrapped to.
const NARROW: u16 = 20;

impl Style {
    /// A local time, `-` where there is none.
    pub(crate) fn time(&self, moment: Option<&Moment>) -> String {
        moment.map_or_else(|| "-".to_owned(), |moment| moment.local(&self.zone))
    }

    /// A table without borders. Where stdout is a terminal, columns whose header starts with `~` are free text and wrap;
    /// others never do, so that ids and names can be copied.
    pub(crate) fn table<const N: usize>(
        &self,
        headers: [&str; N],
        rows: impl IntoIterator<Item = [Cell; N]>,
    ) -> String {
        let mut table = self.bare();
        table.set_header(headers.map(|header| header.trim_start_matches('~')));
        table.add_rows(rows);
        self.finish(table, headers.map(|header| header.starts_with('~')))
    }

    /// Names and their values, one a line.
    pub(crate) fn fields<'a>(&self, fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
        let mut table = self.bare();
        table.add_rows(fields.into_iter().map(|(name, value)| [cell(format!("{name}:")), cell(value)]));
        self.finish(table, [false, true])
    }

    fn bare(&self) -> Table {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).force_no_tty();
        if self.color {
            table.enforce_styling();
        }
        table
    }

    fn finish<const N: usize>(&self, mut table: Table, wraps: [bool; N]) -> String {
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        let widths = table.column_max_content_widths();
        for ((column, wraps), width) in table.column_iter_mut().zip(wraps).zip(widths) {
            column.set_padding((0, 2));
            if !wraps {
                column.set_constraint(ColumnConstraint::ContentWidth);
            } else if width > NARROW {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(NARROW + 2)));
            }
        }
        table.trim_fmt() + "\n"
    }
}

/// More than any page holds; the table's widths are 16 bits.
const LONGEST: usize = 10_000;

/// A plain cell. What is longer than anybody reads is cut, and that is said; JSON has all of it.
pub(crate) fn cell(content: impl Display) -> Cell {
    let text = content.to_string();
    match text.char_indices().nth(LONGEST) {
        None => Cell::new(text),
        Some((end, _)) => Cell::new(format!("{}… (cut)", &text[..end])),
    }
}

/// A status, in the color of a traffic light where colors are wanted.
pub(crate) fn status(status: &Printable, style: &Style) -> Cell {
    let cell = cell(status);
    match status.as_str() {
        _ if !style.color => cell,
        "active" => cell.fg(Color::Green),
        "revoked" | "expired" => cell.fg(Color::Red),
        "used" => cell,
        _ => cell.fg(Color::Yellow),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Off a terminal, two hours east of Greenwich.
    pub(crate) fn plain() -> Style {
        Style { zone: TimeZone::fixed(jiff::tz::offset(2)), width: None, color: false }
    }

    #[test]
    fn off_a_terminal_nothing_wraps() {
        let long = "word ".repeat(100);
        let shown = plain().table(["ID", "~NOTE"], [[cell("1"), cell(long.trim())]]);
        assert_eq!(shown, format!("ID  NOTE\n1   {}\n", long.trim()));
    }

    #[test]
    fn on_a_terminal_only_free_text_wraps() {
        let style = Style { width: Some(40), ..plain() };
        let shown =
            style.table(["ID", "~NOTE"], [[cell("0123456789012345678901"), cell("one two three four five six")]]);
        let expected = "ID                      NOTE\n\
                        0123456789012345678901  one two three four\n                        five six\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_cell_of_any_length_is_shown_as_far_as_anybody_reads() {
        let long = "ä".repeat(200_000);
        for header in ["~NOTE", "ID"] {
            let shown = plain().table([header], [[cell(&long)]]);
            assert!(shown.contains(&"ä".repeat(10_000)) && shown.ends_with("… (cut)\n"), "{}", shown.len());
        }
    }

    #[test]
    fn fields_line_up() {
        let shown = plain().fields([("ID", "1".to_owned()), ("Hostname", "web3".to_owned())]);
        assert_eq!(shown, "ID:        1\nHostname:  web3\n");
    }
}
