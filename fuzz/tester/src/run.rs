//! Running the suites: cases one after the other, with a look at the server's health behind what harms.

use crate::case::{Case, Demand, Protocol, Suite};
use crate::context::{Context, Ended, Outcome};
use crate::options::{Options, Targets};
use crate::process::Usage;
use crate::random::Random;
use crate::report::{self, Result, Verdict};
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Mutated sessions between two looks at the server's health.
const BETWEEN: usize = 20;

/// How long a server may take to be well again.
const RECOVERY: Duration = Duration::from_secs(10);

/// Runs what the options ask for: whether nothing failed.
///
/// # Errors
/// When there is nothing to test, or a report cannot be written.
pub(crate) fn run(options: &Options) -> std::result::Result<bool, String> {
    if options.list {
        list(options);
        return Ok(true);
    }
    let targets = options.targets()?;
    let suites: Vec<&Suite> = match options.replay {
        Some((protocol, _)) => vec![protocol.suite()],
        None => Protocol::ALL
            .iter()
            .map(|protocol| protocol.suite())
            .collect(),
    };
    let suites: Vec<&Suite> = suites
        .into_iter()
        .filter(|suite| (suite.present)(&targets))
        .collect();
    if suites.is_empty() {
        return Err(
            "nothing to test: name a URL, as --rtmp rtmp://127.0.0.1/live/x (see --help)"
                .to_owned(),
        );
    }
    let results = Mutex::new(Vec::new());
    let one = |suite: &Suite| Runner::new(options, &targets, suite, &results).run();
    if options.together {
        std::thread::scope(|scope| {
            for suite in &suites {
                scope.spawn(|| one(suite));
            }
        });
    } else {
        suites.iter().for_each(|suite| one(suite));
    }
    let mut results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|result: &Result| result.protocol as u8);
    println!("{}", report::summary(&results));
    let write = |path: &std::path::Path, text: String| {
        fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    if let Some(path) = &options.json {
        write(path, report::json(&results, options.seed))?;
    }
    if let Some(path) = &options.junit {
        write(path, report::junit(&results))?;
    }
    Ok(report::counts(&results).failed == 0)
}

fn list(options: &Options) {
    for protocol in Protocol::ALL {
        let suite = protocol.suite();
        for case in suite.conformance.iter().chain(suite.abuse) {
            if options.wants(case.name) {
                println!("{}  {} ({})", case.name, case.what, case.standard);
            }
        }
        println!(
            "{}.mutation  {MUTATION} (--mutations, --seed)",
            protocol.name()
        );
    }
}

const MUTATION: &str = "sessions whose messages are changed leave a server that serves others";

/// One suite's run.
struct Runner<'a> {
    options: &'a Options,
    suite: &'static Suite,
    context: Context,
    results: &'a Mutex<Vec<Result>>,
    /// Of the server's process, before all.
    before: Option<Usage>,
}

impl<'a> Runner<'a> {
    fn new(
        options: &'a Options,
        targets: &Targets,
        suite: &Suite,
        results: &'a Mutex<Vec<Result>>,
    ) -> Self {
        Self {
            options,
            suite: suite.protocol.suite(),
            context: Context::new(targets.clone(), options.limit(), options.patience()),
            results,
            before: options.pid.and_then(|process| Usage::of(process).ok()),
        }
    }

    fn run(&self) {
        let protocol = self.suite.protocol.name();
        if let Some((_, seed)) = self.options.replay {
            let outcome = self.mutated(seed).and_then(|()| self.recovers());
            self.tell(
                &format!("{protocol}.mutation"),
                outcome,
                Instant::now(),
                "seeded mutation",
                MUTATION,
                Demand::Must,
                None,
            );
            return;
        }
        // Without a server that is well, nothing that follows says anything.
        let begun = Instant::now();
        let name = format!("{protocol}.healthy");
        let healthy = (self.suite.healthy)(&self.context);
        let well = healthy.is_ok();
        self.tell(
            &name,
            healthy,
            begun,
            "before all else",
            "a normal client is served",
            Demand::Must,
            None,
        );
        if !well {
            return;
        }
        for case in self
            .suite
            .conformance
            .iter()
            .filter(|case| self.options.wants(case.name))
        {
            self.case(case, false);
        }
        for case in self
            .suite
            .abuse
            .iter()
            .filter(|case| self.options.wants(case.name))
        {
            self.case(case, true);
        }
        if self.options.mutations > 0 && self.options.wants(&format!("{protocol}.mutation")) {
            self.mutations();
        }
    }

    fn case(&self, case: &Case, harms: bool) {
        let begun = Instant::now();
        let mut outcome = (case.run)(&self.context);
        if harms && outcome.is_ok() {
            outcome = self.process_is_well();
            if outcome.is_ok() {
                outcome = self.recovers();
            }
        }
        self.tell(
            case.name,
            outcome,
            begun,
            case.standard,
            case.what,
            case.demand,
            None,
        );
    }

    /// Mutated sessions. When the server is not well behind some, which of them it was is found by running them again.
    fn mutations(&self) {
        let begun = Instant::now();
        let mut seeds = Random::new(self.options.seed);
        let all: Vec<u64> = (0..self.options.mutations)
            .map(|_| seeds.next() >> 16)
            .collect();
        let name = format!("{}.mutation", self.suite.protocol.name());
        let mut found = None;
        for some in all.chunks(BETWEEN) {
            for seed in some {
                let _ = self.mutated(*seed);
            }
            let Err(problem) = self.recovers().and_then(|()| self.process_is_well()) else {
                continue;
            };
            let culprit = some.iter().find(|seed| {
                let _ = self.mutated(**seed);
                self.recovers().is_err()
            });
            found = Some((problem, *culprit.unwrap_or(&some[0]), some));
            break;
        }
        let Some((problem, seed, some)) = found else {
            self.tell(
                &name,
                Ok(()),
                begun,
                "seeded mutation",
                MUTATION,
                Demand::Must,
                None,
            );
            return;
        };
        let sentence = match problem {
            Ended::Failed(sentence) | Ended::Skipped(sentence) => sentence,
        };
        let outcome = Err(Ended::Failed(format!(
            "behind sessions {some:?}: {sentence}"
        )));
        self.tell(
            &name,
            outcome,
            begun,
            "seeded mutation",
            MUTATION,
            Demand::Must,
            Some(seed),
        );
    }

    /// One session, changed from a seed. What comes of it says nothing; its record is kept.
    fn mutated(&self, seed: u64) -> Outcome {
        let context = self.context.mutated(seed);
        let sessions = self.suite.sessions;
        let session = sessions[(seed % sessions.len() as u64) as usize];
        let _ = session(&context);
        self.context.transcript.note(&format!("session {seed}"));
        if self.options.replay.is_some() {
            for line in context.transcript.take() {
                println!("  {line}");
            }
        }
        Ok(())
    }

    /// A normal client is served, at once or soon.
    fn recovers(&self) -> Outcome {
        let begun = Instant::now();
        loop {
            match (self.suite.healthy)(&self.context) {
                Err(Ended::Failed(sentence)) if begun.elapsed() > RECOVERY => {
                    return Err(Ended::Failed(format!(
                        "a normal client is not served any more: {sentence}"
                    )));
                }
                Err(Ended::Failed(_)) => std::thread::sleep(Duration::from_millis(500)),
                other => return other,
            }
        }
    }

    /// The process lives, and its memory has not grown beyond what is allowed.
    fn process_is_well(&self) -> Outcome {
        let (Some(process), Some(before)) = (self.options.pid, self.before) else {
            return Ok(());
        };
        let now = Usage::of(process).map_err(Ended::Failed)?;
        let grown = now.memory.saturating_sub(before.memory) >> 20;
        self.context
            .transcript
            .note(&format!("memory +{grown} MiB, {} open files", now.files));
        if grown > self.options.growth {
            return Err(Ended::Failed(format!(
                "the server's memory has grown by {grown} MiB"
            )));
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a result")]
    fn tell(
        &self,
        name: &str,
        outcome: Outcome,
        begun: Instant,
        standard: &str,
        what: &str,
        demand: Demand,
        seed: Option<u64>,
    ) {
        let verdict = match (outcome, demand) {
            (Ok(()), _) => Verdict::Passed,
            (Err(Ended::Skipped(why)), _) => Verdict::Skipped(why),
            (Err(Ended::Failed(why)), Demand::Must) => Verdict::Failed(why),
            (Err(Ended::Failed(why)), Demand::Should) => Verdict::Warned(why),
        };
        let result = Result {
            protocol: self.suite.protocol,
            name: name.to_owned(),
            standard: standard.to_owned(),
            what: what.to_owned(),
            demand,
            verdict,
            seconds: begun.elapsed().as_secs_f64(),
            transcript: self.context.transcript.take(),
            replay: seed.map_or_else(
                || format!("--only {name}"),
                |seed| format!("--replay {}:{seed}", self.suite.protocol.name()),
            ),
        };
        println!("{}", report::line(&result, self.options.verbose));
        let results = self.results.lock();
        results
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(result);
    }
}
