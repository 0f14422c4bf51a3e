//! This process as the kernel sees it, under the names that every Prometheus client gives it.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc/self` when it is asked.
#[derive(Debug)]
pub struct Process;

/// `/proc/self/stat` (proc_pid_stat(5)): ticks of CPU, ticks from boot to start, pages of resident memory.
#[derive(Debug, PartialEq)]
struct Stat {
    user: u64,
    system: u64,
    start: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The command's name may hold spaces and brackets; it ends at the last one.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // The first field here is the third of the manual.
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Self {
            user: number(14)?,
            system: number(15)?,
            start: number(22)?,
            virtual_bytes: number(23)?,
            resident_pages: number(24)?,
        })
    }
}

/// Seconds since 1970 at which the machine booted.
fn boot_time(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(stat) = fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|text| Stat::parse(&text))
        else {
            return Ok(());
        };
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let pages = rustix::param::page_size() as u64;
        let cpu = ConstCounter::new((stat.user + stat.system) as f64 / ticks);
        let metric = encoder.encode_descriptor(
            "process_cpu_seconds",
            "CPU time of user and system",
            None,
            cpu.metric_type(),
        )?;
        cpu.encode(metric)?;
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)
        };
        let resident = (stat.resident_pages * pages) as f64;
        gauge("process_resident_memory_bytes", "Resident memory", resident)?;
        let reserved = stat.virtual_bytes as f64;
        gauge("process_virtual_memory_bytes", "Virtual memory", reserved)?;
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            gauge("process_open_fds", "Open files", files.count() as f64)?;
        }
        if let Some(boot) = fs::read_to_string("/proc/stat")
            .ok()
            .and_then(|text| boot_time(&text))
        {
            let start = boot as f64 + stat.start as f64 / ticks;
            let help = "Start, in seconds since 1970";
            gauge("process_start_time_seconds", help, start)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "7 (a) b)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 18 19 20 21 22 23";
        let wanted = Stat {
            user: 11,
            system: 12,
            start: 19,
            virtual_bytes: 20,
            resident_pages: 21,
        };
        assert_eq!(Stat::parse(text), Some(wanted));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn the_boot_time_is_a_line_of_its_own() {
        assert_eq!(
            boot_time("cpu 1 2\nbtime 1700000000\n"),
            Some(1_700_000_000)
        );
        assert_eq!(boot_time("cpu 1 2\n"), None);
    }
}
