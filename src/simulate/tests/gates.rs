//! Gates: what passes, what does not, and what is said.

use super::*;
use AttemptResult::{Accepted, Rejected};

fn half_and_half() -> Traffic {
    let rows = [
        many(40, &past(&question(3), &[("small", Accepted)])),
        many(10, &past(&question(3), &[("small", Rejected), ("big", Accepted)])),
        many(50, &past(&question(300), &[("big", Accepted)])),
    ];
    recorded(&rows.concat())
}

fn judged(gates: Gates, new: &Policy, traffic: &Traffic) -> Vec<Breach> {
    gates.judge(&compared(new, &policy(), traffic))
}

fn all_strict() -> Gates {
    Gates {
        max_cost_increase: Some(0.0),
        max_escalation_increase: Some(0.0),
        max_checked_drop: Some(0.0),
        min_local_share: Some(0.5),
        allow_unknown_cost: false,
    }
}

#[test]
fn the_same_policy_passes_the_strictest_gates_and_no_gate_asks_nothing() {
    assert_eq!(judged(all_strict(), &policy(), &half_and_half()), []);
    assert_eq!(judged(Gates::default(), &unpriced(), &Traffic::default()), []);
}

#[test]
fn each_gate_says_by_how_much() {
    let cases = [
        (Gates { max_cost_increase: Some(0.05), ..Gates::default() }, threshold(0.0), "5.0% more is allowed"),
        (Gates { max_escalation_increase: Some(0.01), ..Gates::default() }, threshold(1.0), "1.0 is allowed"),
        (
            Gates { min_local_share: Some(0.2), ..Gates::default() },
            threshold(0.0),
            "0.0% of the questions would start in tier `local`",
        ),
    ];
    for (gates, new, said) in cases {
        let breaches = judged(gates, &new, &half_and_half());
        assert_eq!(breaches.len(), 1, "{gates:?}: {breaches:?}");
        assert!(breaches[0].why.contains(said), "{breaches:?}");
    }
    let stays = with_route(policy(), |route| route.escalate.on_rejected = false);
    let drop = judged(Gates { max_checked_drop: Some(0.05), ..Gates::default() }, &stays, &half_and_half());
    assert!(drop[0].why.contains("by 10.0; 5.0 is allowed"), "{drop:?}");
    let cheaper = judged(Gates { max_cost_increase: Some(0.0), ..Gates::default() }, &threshold(1.0), &half_and_half());
    assert_eq!(cheaper, []);
}

#[test]
fn an_unknown_cost_fails_unless_it_is_allowed() {
    let gates = Gates { max_cost_increase: Some(9.0), ..Gates::default() };
    let breaches = judged(gates, &unpriced(), &half_and_half());
    assert!(breaches[0].why.contains("--allow-unknown-cost"), "{breaches:?}");
    assert_eq!(judged(Gates { allow_unknown_cost: true, ..gates }, &unpriced(), &half_and_half()), []);
}

#[test]
fn a_gate_over_nothing_fails_and_so_does_a_cost_where_there_was_none() {
    assert_eq!(judged(all_strict(), &policy(), &Traffic::default())[0].gate, "traffic");
    let free = recorded(&many(10, &past(&question(3), &[("small", Accepted)])));
    let breaches = judged(Gates { max_cost_increase: Some(9.0), ..Gates::default() }, &threshold(0.0), &free);
    assert!(breaches[0].why.contains("from $0.00 to $"), "{breaches:?}");
}
