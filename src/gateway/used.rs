//! What one call used, by what was reported and by what was heard of it, and who says so. Pure, but for the log line
//! about a count that nobody can believe.

use crate::chat::{ChatRequest, ModelSpec, Tokens, Usage, UsageSource};
use crate::error::Kind;
use crate::provider::Answer;

/// What a whole answer reported stands, as far as it can be believed. An estimate is made only where something was
/// surely read or written by the model.
pub(super) fn used(answer: &Answer, request: &ChatRequest, model: &ModelSpec) -> (Usage, UsageSource) {
    let reply = answer.result.as_ref().ok().or(answer.partial.as_ref());
    let text = reply.map_or(0, |reply| reply.text.len() as u64);
    let heard = text.saturating_add(answer.unshown);
    let reported = reply.and_then(|reply| reply.usage);
    if reported.is_some_and(|reported| !is_credible(reported, request, model, heard)) {
        // One wrong count would close a budget for a month.
        tracing::warn!(
            model = model.name.as_str(),
            "a backend reported more tokens than this model can have used: its call is counted at what was set aside"
        );
        return (request.usage_at_most(), UsageSource::Estimated);
    }
    if let (Some(usage), Ok(_)) = (reported, &answer.result) {
        return (usage, UsageSource::Reported);
    }
    // The estimate counts high, and no model writes more than it was allowed to: what was set aside is enough.
    let output = Tokens::of_bytes(heard).min(request.max_output);
    let estimate = Usage { input: request.estimated_input(), cached_input: Tokens::ZERO, output };
    // What a stream reported before it broke may be a placeholder of its first chunk: the larger count stands.
    match reported {
        Some(usage) if usage.output >= output => return (usage, UsageSource::Reported),
        Some(usage) => return (Usage { output, ..usage }, UsageSource::Estimated),
        None => {}
    }
    let Err(error) = &answer.result else { return (estimate, UsageSource::Estimated) };
    match error.kind {
        // Whatever came then, a model was at work.
        _ if heard > 0 => (estimate, UsageSource::Estimated),
        // It never reached a model.
        Kind::UpstreamUnreachable
        | Kind::UpstreamBusy
        | Kind::UpstreamAuth
        | Kind::UpstreamQuota
        | Kind::ContextTooLong
        | Kind::FormatRefused => (Usage::default(), UsageSource::Estimated),
        Kind::UpstreamTimeout | Kind::UpstreamCut | Kind::Cancelled => (estimate, UsageSource::Estimated),
        _ => (Usage::default(), UsageSource::Unknown),
    }
}

/// Whether this can have been used. A backend may ignore what it was allowed, but no model reads or writes more than its
/// context holds, and what was heard was written. (A token is a byte at least.)
fn is_credible(reported: Usage, request: &ChatRequest, model: &ModelSpec, heard: u64) -> bool {
    // The prompt is measured only for a count that needs it.
    let input = reported.input <= model.context || reported.input <= request.input_at_most();
    input && reported.output <= request.max_output.max(model.context).max(Tokens(heard))
}

#[cfg(test)]
#[path = "used_tests.rs"]
mod tests;
