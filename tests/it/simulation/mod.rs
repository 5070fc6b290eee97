//! The promise under crashes, faults, replicas and time, from seeds: the real readers, diff, watchers,
//! reconciliation, dispatcher and janitor against the sandbox without sockets, in paused time.
//!
//! One seed is one run: history, first contact, a storm, calm, judgement. [`plan`] says what a seed decides, [`city`]
//! what happens at the upstreams, [`upstream`], [`store`], [`channel`] and [`clock`] what goes wrong on each way,
//! [`process`] and [`replica`] who lives and dies, [`nights`] what the closing of a day shows, [`oracle`] what must have
//! come of it. It is deterministic: a seed that fails fails again, with the same trace to the last line.
//!
//! `SEEDS=FROM..TO` runs other seeds than those below (`tests/soak` does so); `SEED=N` runs one and prints its trace.

mod channel;
mod city;
mod clock;
mod defects;
mod nights;
mod oracle;
mod plan;
mod process;
mod replica;
mod run;
mod store;
mod trace;
mod upstream;
mod weather;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use self::run::{Summary, live};

/// Seeds that failed once, each with what it found.
const REMEMBERED: &str = include_str!("../../data/seeds.txt");

fn run(seed: u64, loud: bool) -> Result<Summary, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(live(seed, loud))
}

fn hold(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        if let Err(why) = run(seed, false) {
            panic!("{why}\n  replay: {}", replay(seed));
        }
    }
}

fn replay(seed: u64) -> String {
    format!("SEED={seed} cargo test --test it simulation::the_seed_of_the_environment -- --nocapture")
}

fn remembered() -> Vec<u64> {
    let lines = REMEMBERED.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| line.parse().expect("a seed is a number")).collect()
}

/// The seeds of every day, in four parts, so that as many cores work.
fn part(number: u64) {
    hold((1 + number * 50)..=(50 + number * 50));
}

#[test]
fn seeds_that_failed_once_hold() {
    hold(remembered());
}

#[test]
fn no_fact_is_lost_or_told_twice_in_the_first_fifty_seeds() {
    part(0);
}

#[test]
fn no_fact_is_lost_or_told_twice_in_the_second_fifty_seeds() {
    part(1);
}

#[test]
fn no_fact_is_lost_or_told_twice_in_the_third_fifty_seeds() {
    part(2);
}

#[test]
fn no_fact_is_lost_or_told_twice_in_the_fourth_fifty_seeds() {
    part(3);
}

#[test]
fn a_seed_replays_to_the_last_line_of_its_trace() {
    for seed in [3, 58, 111, 166, 1_001, 1_002] {
        let (one, two) = (run(seed, false).unwrap(), run(seed, false).unwrap());
        assert_eq!(one, two, "seed {seed} does not replay");
        assert_ne!(one.trace, run(seed + 1, false).unwrap().trace);
    }
}

/// With `SEED=N`: that seed, aloud. Without: the first one, which is as good as any.
#[test]
fn the_seed_of_the_environment_holds() {
    let seed = std::env::var("SEED").ok().map(|text| text.parse().expect("SEED is a number"));
    match run(seed.unwrap_or(1), seed.is_some()) {
        Ok(summary) => eprintln!("{summary:?}"),
        Err(why) => panic!("{why}"),
    }
}

/// With `SEEDS=FROM..TO`: all of them, on all cores. Without: the remembered ones, on all cores.
#[test]
fn the_seeds_of_the_environment_hold_on_all_cores() {
    let range = std::env::var("SEEDS").ok().map(|text| range(&text).expect("SEEDS is FROM..TO"));
    let seeds: Vec<u64> = range.map_or_else(remembered, Iterator::collect);
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let all = u64::try_from(seeds.len()).unwrap();
    // `tests/teeth` asks whether any seed fails, not how many.
    let enough = || std::env::var_os("STOP_AT_FIRST").is_some() && failed.load(Ordering::Relaxed) > 0;
    let worker = || {
        while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
            if enough() {
                return;
            }
            if let Err(why) = run(*seed, false) {
                failed.fetch_add(1, Ordering::Relaxed);
                eprintln!("{why}\n  replay: {}\n", replay(*seed));
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done % 100 == 0 || done == all {
                eprintln!("{done} of {all} seeds, {} failed", failed.load(Ordering::Relaxed));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let failed = failed.into_inner();
    assert_eq!(failed, 0, "{failed} of {all} seeds failed");
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
