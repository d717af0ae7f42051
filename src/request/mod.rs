//! One request through the gateway, as values: who asks, what is asked, how an answer is checked, what was decided,
//! how it ended.
//!
//! Nothing here acts; the gateway does.

mod ask;
mod attempt;
mod budget;
mod caller;
mod check;
mod checked;
mod decision;
mod outcome;
mod residency;
mod signals;
mod stream;
mod weights;

pub use ask::{Ask, CacheMode, Check, ConversationKey, Progress, ProgressSink, Render, Salvage, TooLong};
pub use attempt::{Attempt, AttemptKind, AttemptResult, Limit};
pub use budget::{Allowance, Scope, Standing};
pub use caller::Caller;
pub use check::{Rejection, RejectionCode, Verdict};
pub use checked::{Checked, PassRate};
pub use decision::{Candidate, Complexity, Contribution, Decision, Exclusion, Reason};
pub use outcome::{CacheUse, Completion, KeptBack, Outcome, RequestId, Status, answering};
pub use residency::Residency;
pub use signals::{Conversation, Door, Endpoint, Measures, Signal, Signals, Target};
pub use stream::{Delivery, Piece, Sink, Stream, StreamEvent, stream};
pub use weights::{WEIGHTS_OF_A_CONVERSATION, WEIGHTS_OF_A_TOOL};
