//! The proxy alone, by the example `scale` of its crate: a process for each size, so that memory is that size's.

use std::process::{Command, Stdio};

use kedge_tests::tool::{ToolError, built, run as run_tool};
use serde_json::Value;

use crate::other;

/// Services and endpoints of each.
const SIZES: [&str; 5] = ["100", "1000", "10000", "30000", "1000x100"];

/// Figures of one size; times in microseconds, memory in kB.
pub struct Row {
    pub services: u64,
    pub endpoints: u64,
    pub load: f64,
    pub restart: f64,
    pub change: f64,
    pub change_late: f64,
    /// Of a change, what is spent in the kernel.
    pub kernel: f64,
    pub added: f64,
    pub memory: f64,
    pub heal: f64,
}

/// Measures and prints each.
pub fn run() -> Result<Vec<Row>, ToolError> {
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12} {:>10} {:>10}",
        "Services",
        "endpoints",
        "load",
        "restart",
        "change",
        "99 %",
        "in kernel",
        "add, delete",
        "memory",
        "heal"
    );
    let program = built("examples/scale", "KEDGE_SCALE")?;
    SIZES
        .iter()
        .map(|size| {
            let said = run_tool(
                Command::new(&program)
                    .arg(format!("={size}"))
                    .stdin(Stdio::null()),
            )?;
            let row = row(&said)?;
            let ms = |us: f64| format!("{:.1} ms", us / 1e3);
            let us = |us: f64| format!("{us:.0} us");
            println!(
                "{:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12} {:>10} {:>10}",
                row.services,
                row.endpoints,
                ms(row.load),
                ms(row.restart),
                us(row.change),
                us(row.change_late),
                us(row.kernel),
                us(row.added),
                format!("{:.1} MB", row.memory / 1024.0),
                ms(row.heal),
            );
            Ok(row)
        })
        .collect()
}

fn row(said: &str) -> Result<Row, ToolError> {
    // Before it stands what the proxy logged.
    let last = said.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(last).map_err(|e| other(format!("{e}: {said}")))?;
    let number = |key: &str| {
        value[key]
            .as_f64()
            .ok_or_else(|| other(format!("no {key}: {said}")))
    };
    Ok(Row {
        services: number("services")? as u64,
        endpoints: number("endpoints")? as u64,
        load: number("load_us")?,
        restart: number("restart_us")?,
        change: number("change_us")?,
        change_late: number("change_p99_us")?,
        kernel: number("kernel_us")?,
        added: number("add_delete_us")?,
        memory: number("rss_kb")?,
        heal: number("heal_us")?,
    })
}
