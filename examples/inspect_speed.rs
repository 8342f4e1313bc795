//! How fast a pickle is inspected: `cargo run --release --no-default-features --example inspect_speed FILE…`.
//!
//! Prints the best of some runs, in megabytes of pickle a second, for the verdict alone and for the full report.

use std::time::{Duration, Instant};

use picklist::inspect::{Options, check, inspect};
use picklist::machine::budget::Limits;
use picklist::policy::Policy;

fn best(run: impl Fn() -> bool) -> (Duration, bool) {
    let runs = (0..7).map(|_| {
        let start = Instant::now();
        let allowed = run();
        (start.elapsed(), allowed)
    });
    runs.min().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)] // megabytes
fn main() -> std::io::Result<()> {
    let options = Options {
        limits: Limits::default(),
        ..Options::default()
    };
    for path in std::env::args().skip(1) {
        let data = std::fs::read(&path)?;
        let speed = |time: Duration| data.len() as f64 / 1e6 / time.as_secs_f64();
        let (verdict, allowed) = best(|| check(&data, Policy::std(), &options, &[]).allowed());
        let (report, _) = best(|| inspect(&data, Policy::std(), &options).allowed());
        println!(
            "{path}: {} bytes, allowed {allowed}: check {:.0} MB/s, inspect {:.0} MB/s",
            data.len(),
            speed(verdict),
            speed(report)
        );
    }
    Ok(())
}
