//! The server's Tables (meta.k8s.io/v1) as columns of text.

use std::io::Write;

use serde_json::Value;

/// Spaces between columns, as kubectl has them.
const GAP: usize = 3;

/// Prints tables under one header.
#[derive(Debug)]
pub struct Printer {
    wide: bool,
    namespaces: bool,
    /// Widths of the columns once the header is printed.
    widths: Option<Vec<usize>>,
    /// Which columns are shown; a watch sends the definitions only once.
    shown: Vec<usize>,
}

impl Printer {
    /// `wide` shows the columns of lower priority too, `namespaces` puts each object's namespace first.
    #[must_use]
    pub fn new(wide: bool, namespaces: bool) -> Self {
        Self {
            wide,
            namespaces,
            widths: None,
            shown: Vec::new(),
        }
    }

    /// Prints the rows; before the first, the header.
    ///
    /// # Errors
    /// The output is closed.
    pub fn print(&mut self, table: &Value, out: &mut impl Write) -> std::io::Result<()> {
        let mut lines = Vec::new();
        if self.widths.is_none() {
            lines.push(self.header(table));
        }
        lines.extend(
            table["rows"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|row| self.row(row)),
        );
        let widths = self.widths.get_or_insert_with(|| widths(&lines));
        for line in &lines {
            writeln!(out, "{}", join(line, widths))?;
        }
        Ok(())
    }

    fn header(&mut self, table: &Value) -> Vec<String> {
        let mut names = Vec::new();
        if self.namespaces {
            names.push("NAMESPACE".to_string());
        }
        for (i, column) in table["columnDefinitions"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            if self.wide || column["priority"].as_i64().unwrap_or(0) == 0 {
                self.shown.push(i);
                names.push(column["name"].as_str().unwrap_or_default().to_uppercase());
            }
        }
        names
    }

    fn row(&self, row: &Value) -> Vec<String> {
        let mut cells = Vec::new();
        if self.namespaces {
            cells.push(text(&row["object"]["metadata"]["namespace"]));
        }
        cells.extend(self.shown.iter().map(|i| text(&row["cells"][*i])));
        cells
    }
}

fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    (0..columns)
        .map(|i| {
            lines
                .iter()
                .filter_map(|line| line.get(i))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect()
}

fn join(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(
            ' ',
            (width + GAP).saturating_sub(cell.chars().count()).max(1),
        ));
    }
    line.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up_and_low_priority_ones_are_wide_only() {
        let table = json!({
            "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Port(s)"}, {"name": "Selector", "priority": 1}],
            "rows": [
                {"cells": ["web", "80/TCP", "app=web"], "object": {"metadata": {"namespace": "shop"}}},
                {"cells": ["a-longer-name", 7, null], "object": {"metadata": {"namespace": "shop"}}},
            ],
        });
        let print = |wide, namespaces| {
            let mut out = Vec::new();
            Printer::new(wide, namespaces)
                .print(&table, &mut out)
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            print(false, false),
            "NAME            PORT(S)\nweb             80/TCP\na-longer-name   7\n"
        );
        assert!(
            print(true, true).starts_with("NAMESPACE   NAME            PORT(S)   SELECTOR\nshop ")
        );
    }
}
