//! What the dataplane costs: loading and changing rules at sizes up to 30,000 Services, a new connection, the way from
//! the API to the first connection, connections during changes; and the same for a ruleset of kube-proxy's shape.
//!
//! Everything is in the namespaces of one lab. Figures that depend on the machine stand beside their baseline of the same run.

mod baseline;
mod churn;
mod cluster;
mod end_to_end;
mod flow;
mod scale;

use std::path::Path;
use std::time::Duration;

use kedge_tests::lab::Lab;
use kedge_tests::tool::ToolError;

use crate::plot::{Plot, Series};
use crate::{other, print};
use cluster::Cluster;
use scale::Row;

/// Numbers of Services.
const SIZES: [usize; 4] = [100, 1_000, 10_000, 30_000];
/// Those that a ruleset of kube-proxy's shape is measured at: the next would take minutes.
const BASELINE_SIZES: [usize; 3] = [100, 1_000, 10_000];

/// Names of series.
const KEDGE: &str = "kedge";
const SHAPE: &str = "kube-proxy's shape, by nft";

/// Cost against size.
type Points = Vec<(f64, f64)>;

/// Prints all figures, and draws plots of them into a folder.
pub fn run(plots: &Path) -> Result<(), ToolError> {
    println!("the proxy alone, fed from memory; one process for each line\n");
    let rows = scale::run()?;
    println!("\nkedge server with everything on, over its API\n");
    let lab = Lab::new()?;
    let mut cluster = Cluster::start(&lab)?;
    let mut flows = Flows::default();
    let mut made = flow::Made::default();
    for size in SIZES {
        cluster.grow(&lab, size)?;
        println!("  {size} Services");
        flows.measure(&lab, size, &mut made, "under 1.25")?;
        let (median, late) = end_to_end::run(&lab, &cluster)?;
        print(
            "  from the API's answer to the first connection, median",
            &milliseconds(median),
            "under 5 ms",
        );
        print("    99 %", &milliseconds(late), "under 15 ms");
        print("  memory of the server", &cluster.memory()?, "");
    }
    churn::run(&lab, &cluster)?;
    cluster.stop(&lab)?;

    println!("\na ruleset of kube-proxy's shape, loaded by nft\n");
    let mut shape = Baseline::default();
    for size in BASELINE_SIZES {
        let cost = baseline::run(&lab, size)?;
        print(
            &format!("{size} Services: load"),
            &milliseconds(cost.load),
            "",
        );
        print("  one endpoint changed", &milliseconds(cost.change), "");
        shape.flows.measure(&lab, size, &mut made, "")?;
        let size = size as f64;
        shape.load.push((size, cost.load.as_secs_f64() * 1e3));
        shape.change.push((size, cost.change.as_secs_f64() * 1e3));
    }
    baseline::clear(&lab)?;
    draw(plots, &rows, flows, shape)
}

/// What a ruleset of kube-proxy's shape costs, in milliseconds, and its ratios of flows.
#[derive(Default)]
struct Baseline {
    load: Points,
    change: Points,
    flows: Flows,
}

/// Ratios of flows at each size.
#[derive(Default)]
struct Flows {
    each_another: Points,
    busy: Points,
}

impl Flows {
    fn measure(
        &mut self,
        lab: &Lab,
        size: usize,
        made: &mut flow::Made,
        bound: &str,
    ) -> Result<(), ToolError> {
        let ratios = flow::ratios(lab, size, made)?;
        for (what, ratio, points) in [
            (
                "  a new flow, to one made directly: each to another Service",
                ratios.each_another,
                &mut self.each_another,
            ),
            (
                "    to 100 of the Services, again and again",
                ratios.busy,
                &mut self.busy,
            ),
        ] {
            print(what, &format!("{ratio:.2}"), bound);
            points.push((size as f64, ratio));
        }
        Ok(())
    }

    /// Series of a plot.
    fn series(self, whose: &str) -> [Series; 2] {
        let series = |name: String, points| Series { name, points };
        [
            series(format!("{whose}, each to another"), self.each_another),
            series(format!("{whose}, to 100 of them"), self.busy),
        ]
    }
}

fn draw(folder: &Path, rows: &[Row], flows: Flows, shape: Baseline) -> Result<(), ToolError> {
    let of = |cost: fn(&Row) -> f64| -> Points {
        rows.iter()
            .filter(|row| row.endpoints == 3)
            .map(|row| (row.services as f64, cost(row) / 1e3))
            .collect()
    };
    let plot = |title, y, series| Plot {
        title,
        x: "Services",
        y,
        series,
    };
    let both = |kedge: Points, shape: Points| {
        let series = [(KEDGE, kedge), (SHAPE, shape)];
        series
            .map(|(name, points)| Series {
                name: name.into(),
                points,
            })
            .into()
    };
    let all = [
        (
            "load.svg",
            plot(
                "From nothing to all rules in the kernel",
                "ms",
                both(of(|row| row.load), shape.load),
            ),
        ),
        (
            "change.svg",
            plot(
                "One endpoint replaced, median",
                "ms",
                both(of(|row| row.change), shape.change),
            ),
        ),
        (
            "flow.svg",
            plot(
                "A new flow, to one made directly",
                "ratio",
                [flows.series(KEDGE), shape.flows.series(SHAPE)]
                    .into_iter()
                    .flatten()
                    .collect(),
            ),
        ),
    ];
    std::fs::create_dir_all(folder).map_err(other)?;
    for (name, plot) in all {
        let path = folder.join(name);
        std::fs::write(&path, plot.svg()).map_err(other)?;
        println!("drew {}", path.display());
    }
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
