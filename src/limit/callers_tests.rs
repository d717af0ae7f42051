//! Who is counted with whom, for how long, and in how much memory.

use proptest::prelude::*;

use super::*;
use crate::chat::Tokens;
use crate::limit::{Patience, Permit, Refusal};
use crate::policy::{BUILT_IN, Limits, WhenReached, compile};

fn policy(callers: &[(&str, Limits)]) -> Arc<Policy> {
    let mut policy = compile(BUILT_IN, "routing.yaml", &|_| None).policy.unwrap();
    policy.callers = callers.iter().map(|(name, limits)| ((*name).to_owned(), *limits)).collect();
    Arc::new(policy)
}

fn requests(per_minute: u32) -> Limits {
    Limits { requests_per_minute: Some(per_minute), ..Limits::default() }
}

async fn admit(callers: &Callers, caller: &str) -> Result<Permit, Refusal> {
    let patience = Patience { place: Duration::ZERO, rate: Duration::ZERO };
    match callers.gate(caller) {
        Some(gate) => gate.admit(Tokens(1), patience).await,
        None => Ok(Permit::free()),
    }
}

/// How many of so many requests at once are let in.
async fn let_in(callers: &Callers, caller: &str, of: usize) -> usize {
    let mut count = 0;
    for _ in 0..of {
        count += usize::from(admit(callers, caller).await.is_ok());
    }
    count
}

#[tokio::test(start_paused = true)]
async fn each_caller_is_counted_alone_and_an_entry_of_its_own_stands_alone_too() {
    let more = Limits { concurrency: Some(50), ..requests(4) };
    let callers = Callers::new(policy(&[("default", requests(2)), ("bot", more), ("free", Limits::default())]));
    for caller in ["ann", "bob", "default"] {
        assert_eq!(let_in(&callers, caller, 9).await, 2, "{caller}");
    }
    assert_eq!(let_in(&callers, "bot", 9).await, 4);
    assert_eq!(let_in(&callers, "free", 99).await, 99, "nothing of `default` is added");
    let nobody = Callers::new(policy(&[("bot", more)]));
    assert_eq!((let_in(&nobody, "ann", 99).await, nobody.lock().gates.len()), (99, 0), "and nothing is remembered");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_stays_goes_on_counting_in_the_policy_that_follows() {
    let callers = Callers::new(policy(&[("default", requests(5)), ("bot", requests(5))]));
    let held = admit(&callers, "ann").await.ok().unwrap();
    assert_eq!((let_in(&callers, "ann", 2).await, let_in(&callers, "bot", 5).await), (2, 5));
    // `ann` gets an entry of her own with the same numbers, and more; `bot` gets another number.
    let own = Limits { concurrency: Some(9), when_reached: WhenReached::Refuse, ..requests(5) };
    callers.follow(policy(&[("default", requests(5)), ("ann", own), ("bot", requests(6))]));
    assert_eq!(let_in(&callers, "ann", 9).await, 2, "three of five are gone");
    assert_eq!(let_in(&callers, "bot", 9).await, 6, "another limit begins anew");
    callers.follow(policy(&[("default", requests(5)), ("ann", own), ("bot", requests(6))]));
    assert_eq!((let_in(&callers, "ann", 9).await, let_in(&callers, "bot", 9).await), (0, 0));
    callers.follow(policy(&[("ann", own)]));
    assert_eq!(let_in(&callers, "bot", 99).await, 99);
    assert_eq!(callers.lock().gates.len(), 1, "who has no limits any more is forgotten");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_held_over_a_change_of_policy_is_still_taken() {
    let two = Limits { concurrency: Some(2), ..Limits::default() };
    let callers = Callers::new(policy(&[("default", two)]));
    let held = admit(&callers, "ann").await.ok().unwrap();
    callers.follow(policy(&[("default", Limits { requests_per_minute: Some(100), ..two })]));
    let second = admit(&callers, "ann").await.ok().unwrap();
    assert_eq!(admit(&callers, "ann").await.err(), Some(Refusal::Concurrency { limit: 2 }));
    drop(held);
    assert!(admit(&callers, "ann").await.is_ok());
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn names_are_bounded_and_nobody_who_counts_is_forgotten() {
    let callers = Callers::new(policy(&[("default", requests(2)), ("bot", requests(2))]));
    assert_eq!(let_in(&callers, "ann", 1).await, 1);
    for n in 0..MOST - 1 {
        assert!(admit(&callers, &format!("caller {n}")).await.is_ok());
    }
    assert_eq!(callers.lock().gates.len(), MOST);
    // All of them have used up half of their minute: the next ones share one count.
    let late = [let_in(&callers, "late 1", 1).await, let_in(&callers, "late 2", 2).await];
    assert_eq!((late, callers.lock().gates.len()), ([1, 1], MOST));
    assert_eq!(let_in(&callers, "bot", 9).await, 2, "who is named has its own place");
    // One each half a minute comes back, and with that nothing is known of them any more, except of who came again.
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(let_in(&callers, "ann", 1).await, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(let_in(&callers, "late 1", 9).await, 2);
    assert!(callers.lock().gates.len() <= 3, "{}", callers.lock().gates.len());
    assert_eq!(let_in(&callers, "ann", 9).await, 1, "she is remembered");
}

#[tokio::test(start_paused = true)]
async fn who_is_about_to_go_in_is_not_forgotten() {
    let callers = Callers::new(policy(&[("default", Limits { concurrency: Some(1), ..Limits::default() })]));
    let about_to = callers.gate("ann").unwrap();
    for n in 0..MOST {
        assert!(admit(&callers, &format!("caller {n}")).await.is_ok());
    }
    let patience = Patience { place: Duration::ZERO, rate: Duration::ZERO };
    let held = about_to.admit(Tokens(1), patience).await.ok().unwrap();
    assert!(admit(&callers, "ann").await.is_err(), "one count, however it was come by");
    drop(held);
}

proptest! {
    /// Whoever comes when, no caller gets more than its minute at the start and what came back, nor more at once than
    /// it may; and when all is over nothing is held.
    #[test]
    fn no_caller_gets_more_than_its_limits(
        visits in prop::collection::vec((0usize..3, 1u64..400, 0u64..400, 0u64..5_000), 1..80),
        (at_once, per_minute, tokens) in (1u32..4, 1u32..40, 100u32..2_000),
        waits in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let when_reached = if waits { WhenReached::Wait } else { WhenReached::Refuse };
            let limits = Limits {
                concurrency: Some(at_once),
                requests_per_minute: Some(per_minute),
                tokens_per_minute: Some(tokens),
                when_reached,
            };
            let (callers, begun) = (Callers::new(policy(&[("default", limits)])), Instant::now());
            let mut inside: Vec<Vec<(Instant, Permit, u64)>> = vec![Vec::new(), Vec::new(), Vec::new()];
            let (mut admitted, mut used_up) = ([0u64; 3], [0u64; 3]);
            for (who, expected, used, pause) in visits {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                inside[who].retain_mut(|(until, permit, used)| {
                    let stays = *until > Instant::now();
                    if !stays {
                        permit.used(Tokens(*used));
                    }
                    stays
                });
                let patience = Patience { place: Duration::from_millis(10), rate: Duration::from_secs(2) };
                let before = Instant::now();
                let gate = callers.gate(["ann", "bob", "cleo"][who]).unwrap();
                let Ok(permit) = gate.admit(Tokens(expected), patience).await else { continue };
                prop_assert!(waits || before.elapsed() <= Duration::from_millis(1));
                let passed = begun.elapsed().as_secs_f64() / 60.0;
                admitted[who] += 1;
                let allowed = |minute: u32| f64::from(minute) * (1.0 + passed) + 1.0;
                prop_assert!((admitted[who] as f64) <= allowed(per_minute), "{} requests", admitted[who]);
                // Who uses more than was expected may pass the rate, by no more than that.
                let used = used.min(expected).min(tokens.into());
                used_up[who] += used;
                prop_assert!((used_up[who] as f64) <= allowed(tokens), "{} tokens", used_up[who]);
                inside[who].push((Instant::now() + Duration::from_secs(3), permit, used));
                prop_assert!(inside[who].len() <= at_once as usize);
            }
            drop(inside);
            tokio::time::sleep(Duration::from_secs(61)).await;
            let known = callers.lock();
            prop_assert!(known.gates.values().all(|gate| gate.is_as_new() && Arc::strong_count(gate) == 1));
            Ok(())
        })?;
    }
}
