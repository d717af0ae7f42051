//! Timeouts against the deadline, as the gateway's meter cuts them.

use std::time::Duration;

use super::{Linter, Sharing, asks_models, ways};
use crate::policy::types::{Envelope, Model};

/// MCP hosts cut a call at about 60 s; an answer that comes later is never seen.
const LONGEST_DEADLINE: Duration = Duration::from_secs(50);

const DEADLINE: [&str; 2] = ["envelope", "deadline"];

impl<'a> Linter<'a> {
    pub(super) fn long_deadlines(&mut self) {
        for sharing in self.sharing(&DEADLINE, &[]) {
            if sharing.routes.iter().any(|route| route.envelope.deadline > LONGEST_DEADLINE) {
                let problem =
                    self.found.warning(sharing.place, "a deadline above 50s: MCP hosts stop waiting at about 60s");
                problem.help("the default is 40s");
            }
        }
    }

    pub(super) fn times(&mut self) {
        for sharing in self.sharing(&DEADLINE, &[&["models"]]) {
            // One finding for a deadline: the others would follow from it.
            let _told = self.nothing_left(&sharing) || self.too_short(&sharing) || self.cut(&sharing);
        }
    }

    /// A model that stays silent takes its time, and then another one too; what remains for the last of them?
    fn nothing_left(&mut self, sharing: &Sharing<'a>) -> bool {
        let all = sharing.routes.iter().flat_map(|route| {
            ways::starts(self.policy, route)
                .into_iter()
                .filter_map(|start| shortest(&route.envelope, &ways::when_all_fail(self.policy, route, start)))
        });
        let Some(short) = all.min_by_key(|short| short.time) else { return false };
        let Short { model, time, after } = short;
        let (name, first) = (&model.spec.name, model.timeouts.first_token);
        let before = super::listed(after.iter().map(|model| model.spec.name.as_str()));
        let stay = if after.len() == 1 { "stays" } else { "stay" };
        let message =
            format!("when {before} {stay} silent, {time:?} are left for `{name}`, which may need {first:?} to begin");
        let names: Vec<&str> = after.iter().map(|model| model.spec.name.as_str()).collect();
        let place = self.place_of_time(sharing, &names);
        let problem = self.found.warning(place, message);
        problem.help(format!("shorten `first_token` of {before}, or lengthen the deadline"));
        true
    }

    /// A slow start, within what the timeouts allow, already takes the whole request.
    fn too_short(&mut self, sharing: &Sharing<'a>) -> bool {
        let need = |model: &Model| model.timeouts.connect + model.timeouts.first_token;
        let Some((deadline, model)) = self.slowest(sharing, need) else { return false };
        if deadline >= need(model) {
            return false;
        }
        let (name, connect, first) = (&model.spec.name, model.timeouts.connect, model.timeouts.first_token);
        let message = format!(
            "a deadline of {deadline:?} is shorter than `{name}` may take to begin: {connect:?} to connect, {first:?} to the first token"
        );
        let is_written = sharing.own || self.written(&DEADLINE).is_some();
        let place = if is_written { sharing.place.clone() } else { self.place_of_time(sharing, &[name.as_str()]) };
        // A route that has to be quick may say so.
        let problem = if sharing.own { self.found.hint(place, message) } else { self.found.warning(place, message) };
        problem.help("lengthen the deadline, or shorten the timeouts of the model");
        true
    }

    /// A written timeout that never applies: one attempt gets three quarters of the deadline.
    fn cut(&mut self, sharing: &Sharing<'a>) -> bool {
        let Some((deadline, model)) = self.slowest(sharing, |model| model.timeouts.first_token) else { return false };
        let name = model.spec.name.as_str();
        let path = ["models", name, "timeouts", "first_token"];
        let first = model.timeouts.first_token;
        let most =
            Envelope { deadline, max_attempts: 1, max_cost: crate::chat::NanoUsd::ZERO }.attempt_time(deadline, false);
        if sharing.own || first <= most || self.written(&path).is_none() {
            return false;
        }
        let message =
            format!("`{name}` never gets {first:?}: with a deadline of {deadline:?} an attempt ends after {most:?}");
        let problem = self.found.warning(self.tree.value_at(&path), message);
        problem.help("write a shorter `first_token`, or lengthen the deadline");
        true
    }

    /// The model that takes longest by this measure, with the deadline that it is asked under.
    fn slowest(&self, sharing: &Sharing<'a>, measure: impl Fn(&Model) -> Duration) -> Option<(Duration, &'a Model)> {
        let routes = sharing.routes.iter().filter(|route| asks_models(route));
        let models = routes.flat_map(|route| {
            let all = ways::most_candidates(self.policy, route);
            all.into_iter().map(|(_, model)| (route.envelope.deadline, model))
        });
        models.max_by_key(|(_, model)| measure(model))
    }

    /// A deadline of a route's own, else the first timeout that is written, else the deadline of all.
    fn place_of_time(&self, sharing: &Sharing<'a>, models: &[&str]) -> crate::policy::problems::Place {
        let paths: Vec<[&str; 4]> = models.iter().map(|name| ["models", name, "timeouts", "first_token"]).collect();
        let written = paths.iter().find(|path| self.written(path.as_slice()).is_some());
        match written {
            Some(path) if !sharing.own => self.tree.value_at(path),
            _ => sharing.place.clone(),
        }
    }
}

/// A model that is asked with hardly any time.
struct Short<'a> {
    model: &'a Model,
    time: Duration,
    /// Who had the time before it.
    after: Vec<&'a Model>,
}

/// The first model of this order that gets less than half of what it may take to begin.
fn shortest<'a>(envelope: &Envelope, order: &[(usize, &'a Model)]) -> Option<Short<'a>> {
    let mut left = envelope.deadline;
    for (at, (_, model)) in order.iter().enumerate() {
        let time = envelope.attempt_time(left, at + 1 < order.len());
        let timeouts = model.timeouts;
        if at > 0 && time < timeouts.first_token / 2 {
            let after = order[..at].iter().map(|(_, model)| *model).collect();
            return Some(Short { model, time, after });
        }
        left = left.saturating_sub(time.min(timeouts.first_token).min(timeouts.total));
    }
    None
}
