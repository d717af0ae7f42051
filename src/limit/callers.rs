//! The limits of who asks: how much each caller may ask at once and in a minute. Every caller has its own count, also
//! those who share the limits of `default`.
//!
//! Names of callers may be many, so what is remembered of them is bounded: a caller of whom nothing is known that would
//! matter is forgotten, and if too many matter at once, those who come then share one count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::gate::Gate;
use crate::policy::Policy;

/// So many callers without limits of their own are remembered: some megabytes.
const MOST: usize = 4_096;

/// A sweep looks at all of them.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

pub struct Callers {
    known: Mutex<Known>,
}

struct Known {
    policy: Arc<Policy>,
    gates: HashMap<String, Arc<Gate>>,
    /// For those who come when too many are remembered.
    others: Option<Arc<Gate>>,
    swept: Option<Instant>,
}

impl Callers {
    pub fn new(policy: Arc<Policy>) -> Self {
        Self { known: Mutex::new(Known { policy, gates: HashMap::new(), others: None, swept: None }) }
    }

    /// Goes by this policy from now on, also for requests that began under the one before. A limit that is still the
    /// same goes on counting where it was.
    pub fn follow(&self, policy: Arc<Policy>) {
        self.lock().follow(policy);
    }

    /// Where this caller is counted; `None`: it has no limits.
    pub fn gate(&self, caller: &str) -> Option<Arc<Gate>> {
        self.lock().gate(caller)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn gate(&mut self, caller: &str) -> Option<Arc<Gate>> {
        let limits = self.policy.caller_limits(caller)?;
        if let Some(known) = self.gates.get(caller) {
            return Some(known.clone());
        }
        if self.gates.len() >= MOST && !self.policy.callers.contains_key(caller) {
            self.sweep();
            if self.gates.len() >= MOST {
                return Some(self.others.get_or_insert_with(|| Arc::new(Gate::new(limits))).clone());
            }
        }
        let gate = Arc::new(Gate::new(limits));
        self.gates.insert(caller.to_owned(), gate.clone());
        Some(gate)
    }

    fn sweep(&mut self) {
        let now = Instant::now();
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        // Whoever is about to go in holds the gate, too.
        self.gates.retain(|_, gate| Arc::strong_count(gate) > 1 || !gate.is_as_new());
    }

    fn follow(&mut self, policy: Arc<Policy>) {
        let next = |gate: &Arc<Gate>, caller: &str| {
            let limits = policy.caller_limits(caller)?;
            Some(if gate.written() == limits { gate.clone() } else { Arc::new(gate.followed_by(limits)) })
        };
        let after = self.gates.iter().filter_map(|(caller, gate)| Some((caller.clone(), next(gate, caller)?)));
        self.gates = after.collect();
        self.others = self.others.as_ref().and_then(|gate| next(gate, Policy::ANY_CALLER));
        self.policy = policy;
    }
}

#[cfg(test)]
#[path = "callers_tests.rs"]
mod tests;
