//! What each signal adds to the complexity unless the policy says otherwise. `classify` makes a score of them; the linter
//! tells which thresholds they never reach.

use super::Signal;

/// What is seen of a call of a tool. The weights add up to 1, so that a question that is extreme in every way scores 1.
pub const WEIGHTS_OF_A_TOOL: [(Signal, f64); 9] = [
    (Signal::Class, 0.25),
    (Signal::Tasks, 0.20),
    (Signal::Edges, 0.10),
    (Signal::Depth, 0.10),
    (Signal::Load, 0.10),
    (Signal::Conflicts, 0.10),
    (Signal::Context, 0.10),
    (Signal::People, 0.03),
    (Signal::OutputItems, 0.02),
];

/// What is seen of a conversation. The weights add up to 2: no question is hard in every way at once, and one that is in
/// half of them is as hard as it gets.
pub const WEIGHTS_OF_A_CONVERSATION: [(Signal, f64); 15] = [
    (Signal::Context, 0.10),
    (Signal::Instruction, 0.50),
    (Signal::Attached, 0.15),
    (Signal::Turns, 0.10),
    (Signal::Questions, 0.02),
    (Signal::Steps, 0.15),
    (Signal::Constraints, 0.15),
    (Signal::Reasoning, 0.15),
    (Signal::Numbers, 0.25),
    (Signal::Maths, 0.20),
    (Signal::Code, 0.10),
    (Signal::Tables, 0.05),
    (Signal::Tools, 0.05),
    (Signal::Schema, 0.01),
    (Signal::Images, 0.02),
];
