//! Asking the gateway for judgement: a prompt and a judge go in; what was accepted, or as far as it came, comes out.

use std::sync::Arc;

use super::prompts::{self, Prompt};
use super::toolbox::Call;
use crate::chat::{ModelSpec, Reply};
use crate::error::{Error, Kind, Result};
use crate::request::{
    Ask, CacheMode, Completion, Delivery, Measures, Outcome, Progress, Rejection, Salvage, Signals, Status, Verdict,
};
use crate::tasks::facts::Measured;

/// Reads an answer and holds it against the facts. Pure: the same answer always gets the same verdict.
pub(super) type Judge<A> = Arc<dyn Fn(&Reply) -> Result<A, Rejection> + Send + Sync>;

pub(super) struct Question<A> {
    pub prompt: Prompt,
    pub judge: Judge<A>,
    /// What may be shown of an answer that broke off.
    pub salvage: Salvage,
    pub measures: Measures,
    /// Projects of the tasks in the question: who may see them is for the policy to say.
    pub projects: Vec<String>,
    /// For a person who waits: "Analyzing 50 tasks…".
    pub note: String,
    pub fresh: bool,
}

/// What came of it.
pub(super) enum Given<A> {
    Accepted(A),
    /// What may be shown of an answer that broke off.
    Partial(String),
    Nothing,
}

pub(super) struct Consulted<A> {
    pub given: Given<A>,
    pub outcome: Outcome,
}

pub(super) async fn consult<A: 'static>(call: &Call<'_>, question: Question<A>) -> Result<Consulted<A>> {
    if let Some(rehearsed) = &call.rehearsal {
        let (rehearsal, outcome) = call.gateway.rehearse(&written(call, &question));
        // A tool asks one question; a second one would not change what is explained.
        let _ = rehearsed.set(rehearsal);
        return Ok(Consulted { given: Given::Nothing, outcome });
    }
    (call.context.progress)(Progress::Note(question.note.clone()));
    call.settled_by_gateway();
    let (outcome, completion) = call.gateway.complete(written(call, &question)).await;
    if outcome.status == Status::Cancelled {
        return Err(Error::new(Kind::Cancelled, "The call was cancelled"));
    }
    let given = match completion {
        Completion::Answer(reply) => (question.judge)(&reply).map_or(Given::Nothing, Given::Accepted),
        Completion::Partial(text) => Given::Partial(text),
        Completion::None => Given::Nothing,
    };
    Ok(Consulted { given, outcome })
}

/// The question as the gateway takes it.
fn written<A: 'static>(call: &Call<'_>, question: &Question<A>) -> Ask {
    let (prompt, judge) = (question.prompt.clone(), question.judge.clone());
    Ask {
        signals: Signals {
            projects: question.projects.clone(),
            context: prompt.whole_size(),
            measures: question.measures,
            prompt_version: prompts::VERSION.to_owned(),
            ..call.signals()
        },
        caller: call.context.caller.clone(),
        conversation: None,
        render: Arc::new(move |spec: &ModelSpec, rejections: &[Rejection]| prompt.render(spec, rejections)),
        check: Some(Arc::new(move |reply: &Reply| match judge(reply) {
            Ok(_) => Verdict::Accepted,
            Err(rejection) => Verdict::Rejected(rejection),
        })),
        salvage: question.salvage.clone(),
        answers_anyway: true,
        cache: if question.fresh { CacheMode::NoCache } else { CacheMode::Use },
        delivery: Delivery::Whole,
        progress: call.context.progress.clone(),
        cancel: call.context.cancel.clone(),
    }
}

/// The distinct projects of some tasks.
pub(super) fn projects<'t>(tasks: impl Iterator<Item = &'t crate::tasks::Task>) -> Vec<String> {
    let projects: std::collections::BTreeSet<&String> = tasks.filter_map(|task| task.project.as_ref()).collect();
    projects.into_iter().cloned().collect()
}

/// The domain's numbers, and how many things the answer has to list.
pub(super) fn measures(measured: Measured, output_items: usize) -> Measures {
    let Measured { tasks, edges, depth, load, conflicts, people } = measured;
    let output_items = u32::try_from(output_items).unwrap_or(u32::MAX);
    Measures { tasks, edges, depth, load, conflicts, people, output_items }
}
