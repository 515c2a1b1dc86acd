//! What a case has at hand: the targets, sockets that keep a record, names, chance, and how it may end.

use crate::address::Address;
use crate::mutation::Mutator;
use crate::options::Targets;
use crate::random::Random;
use crate::transcript::Transcript;
use crate::wire::{Tcp, Udp};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What was wrong.
    Failed(String),
    /// Why it could not be tried.
    Skipped(String),
}

pub(crate) type Outcome<T = ()> = Result<T, Ended>;

/// Ends the case with a sentence, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {{
        let holds: bool = $condition;
        if !holds {
            return Err($crate::context::Ended::Failed(format!($($sentence)+)));
        }
    }};
}
pub(crate) use ensure;

/// The sentence with which a case fails.
pub(crate) fn failed(sentence: impl Into<String>) -> Ended {
    Ended::Failed(sentence.into())
}

/// Of one suite, in one thread.
pub(crate) struct Context {
    targets: Targets,
    pub(crate) transcript: Transcript,
    /// How long an answer may take.
    pub(crate) limit: Duration,
    /// How long connections that say nothing may stay.
    pub(crate) patience: Duration,
    pub(crate) random: RefCell<Random>,
    mutator: Option<Rc<RefCell<Mutator>>>,
    /// Names used so far.
    names: Rc<Cell<u32>>,
}

impl Context {
    pub(crate) fn new(targets: Targets, limit: Duration, patience: Duration) -> Self {
        Self {
            targets,
            transcript: Transcript::default(),
            limit,
            patience,
            random: RefCell::new(Random::new(u64::from(std::process::id()))),
            mutator: None,
            names: Rc::new(Cell::new(0)),
        }
    }

    /// The same for a session that is changed on its way. Answers are not waited for long, and chance is the seed's too.
    pub(crate) fn mutated(&self, seed: u64) -> Self {
        Self {
            targets: self.targets.clone(),
            transcript: Transcript::default(),
            limit: Duration::from_millis(60),
            patience: self.patience,
            random: RefCell::new(Random::new(seed)),
            mutator: Some(Rc::new(RefCell::new(Mutator::new(seed)))),
            names: Rc::clone(&self.names),
        }
    }

    /// The same, but answers are not waited for long.
    pub(crate) fn hasty(&self) -> Self {
        Self {
            targets: self.targets.clone(),
            transcript: self.transcript.clone(),
            limit: Duration::from_millis(300),
            patience: self.patience,
            random: RefCell::new(self.random.borrow().clone()),
            mutator: None,
            names: Rc::clone(&self.names),
        }
    }

    /// A target, or the case is left out.
    pub(crate) fn target(&self, choose: fn(&Targets) -> &Option<Address>) -> Outcome<&Address> {
        let missing = || Ended::Skipped("no URL for it was given".to_owned());
        choose(&self.targets).as_ref().ok_or_else(missing)
    }

    /// Connects.
    pub(crate) fn tcp(&self, address: &Address) -> Outcome<Tcp> {
        Tcp::connect(
            address.socket,
            self.limit,
            &self.transcript,
            self.mutator.clone(),
        )
    }

    /// A socket for datagrams to there.
    pub(crate) fn udp(&self, address: &Address) -> Outcome<Udp> {
        Udp::connect(
            address.socket,
            self.limit,
            &self.transcript,
            self.mutator.clone(),
        )
    }

    /// A name that was not used before, by this run or another.
    pub(crate) fn name(&self, stem: &str) -> String {
        let number = self.names.get() + 1;
        self.names.set(number);
        format!("{stem}-{}-{number}", std::process::id())
    }

    /// Whether what is sent gets changed: then nothing has to be as it should.
    pub(crate) const fn is_mutated(&self) -> bool {
        self.mutator.is_some()
    }
}

/// Names that must not lead anywhere, and that nobody should be able to publish under.
pub(crate) const BAD_NAMES: [&str; 10] = [
    "../../../../tmp/x",
    "..",
    "..%2f..%2fx",
    "%2e%2e%2f%2e%2e%2fx",
    "..\\..\\x",
    "a/../../../etc/passwd",
    "a\u{0}b",
    "a\r\nX-Injected: y",
    "C:x",
    "<script>alert(1)</script>",
];
