//! What the graph refuses, and what it makes of links.

use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::tasks::Status;
use crate::tasks::samples::{ids, linked};

fn refused(tasks: &[Task], task: u32, depends_on: &[u32]) -> Option<String> {
    let result = refuse_dependency_cycle(dependency_links(tasks), TaskId(task), &ids(depends_on));
    result.err().map(|error| {
        assert_eq!(error.kind, Kind::BadRequest);
        assert!(error.hint.is_some());
        error.message
    })
}

#[test]
fn a_dependency_that_leads_back_is_refused_with_the_way() {
    let tasks = linked(5, &[(4, 1), (2, 3), (3, 2)]);
    let message = refused(&tasks, 1, &[5, 4]).expect("a cycle");
    assert_eq!(message, "`depends_on` would make a cycle: TASK-0001 -> TASK-0004 -> TASK-0001");
    assert!(refused(&tasks, 5, &[5]).expect("a cycle").ends_with("TASK-0005 -> TASK-0005"));
    assert_eq!(refused(&tasks, 1, &[2]), None, "an old knot elsewhere is no reason to refuse, nor to walk for ever");
    assert_eq!(refused(&tasks, 4, &[5]), None, "what 4 depended on is replaced");
    assert_eq!(refused(&tasks, 1, &[77]), None, "unknown ids are found elsewhere");
}

#[test]
fn a_parent_among_the_subtasks_is_refused_with_the_way() {
    let mut tasks = linked(3, &[]);
    tasks[1].parent_id = Some(TaskId(1));
    tasks[2].parent_id = Some(TaskId(2));
    let refused = |task, parent| refuse_parent_cycle(parent_links(&tasks), TaskId(task), TaskId(parent)).err();
    let error = refused(1, 3).expect("a cycle");
    assert_eq!(error.message, "`parent_id` would make a cycle: TASK-0001 -> TASK-0003 -> TASK-0002 -> TASK-0001");
    assert!(refused(2, 2).is_some());
    assert!(refused(3, 1).is_none());
}

#[test]
fn a_long_cycle_is_told_by_its_ends() {
    let links: Vec<(u32, u32)> = (2..=50_000).map(|id| (id, id - 1)).collect();
    let message = refused(&linked(50_000, &links), 1, &[50_000]).expect("a cycle");
    assert!(message.contains("TASK-0001 -> TASK-50000 -> TASK-49999 -> TASK-49998 -> … (49993 more) … -> TASK-0004"));
    assert!(message.len() < 200);
}

#[test]
fn unknown_ids_are_told_once() {
    assert_eq!(unknown_ids(ids(&[1, 2]), &ids(&[9, 2, 3, 9])), ids(&[3, 9]));
}

#[test]
fn only_open_dependencies_block() {
    for (status, blocks) in
        [(Status::Pending, true), (Status::InProgress, true), (Status::Completed, false), (Status::Cancelled, false)]
    {
        let mut tasks = linked(2, &[(2, 1), (2, 99)]);
        tasks[0].status = status;
        let graph = Graph::new(&tasks);
        assert_eq!((graph.is_blocked(TaskId(2)), graph.is_ready(TaskId(2))), (blocks, !blocks), "{status:?}");
        assert_eq!(graph.blocked_by(TaskId(2)).len(), usize::from(blocks));
    }
    let mut tasks = linked(2, &[(2, 1)]);
    tasks[1].status = Status::Completed;
    let graph = Graph::new(&tasks);
    assert!(!graph.is_blocked(TaskId(2)) && !graph.is_ready(TaskId(2)), "a closed task is neither");
    assert!(!graph.is_ready(TaskId(99)));
}

#[test]
fn closures_counts_and_chains_follow_the_links() {
    // 4 waits for 2 and 3, both wait for 1; 6 waits for 5.
    let tasks = linked(7, &[(4, 2), (4, 3), (2, 1), (3, 1), (6, 5)]);
    let graph = Graph::new(&tasks);
    assert_eq!(graph.needs(TaskId(4)), ids(&[1, 2, 3]));
    assert_eq!(graph.blocks(TaskId(1)), ids(&[2, 3]));
    let counts: Vec<u32> = (1..=7).map(|id| graph.blocks_count(TaskId(id))).collect();
    assert_eq!(counts, [3, 1, 1, 0, 1, 0, 0]);
    assert_eq!((graph.depth(), graph.edges(), graph.blocked()), (2, 5, 4));
    assert_eq!(graph.chain_to(TaskId(4)), ids(&[1, 2, 4]));
    assert_eq!(Graph::new(&linked(3, &[])).depth(), 0);
}

#[test]
fn a_knot_that_is_there_all_the_same_is_opened_and_the_rest_stays() {
    let tasks = linked(4, &[(1, 2), (2, 1), (3, 2), (4, 4)]);
    let graph = Graph::new(&tasks);
    assert_eq!(graph.open().len(), 4);
    assert_eq!(graph.chain_to(TaskId(3)), ids(&[1, 2, 3]));
    assert!(graph.is_ready(TaskId(1)) && graph.is_ready(TaskId(4)));
}

#[test]
fn fifty_thousand_tasks_in_one_chain_are_counted() {
    let links: Vec<(u32, u32)> = (2..=50_000).map(|id| (id, id - 1)).collect();
    let tasks = linked(50_000, &links);
    let graph = Graph::new(&tasks);
    assert_eq!((graph.depth(), graph.blocks_count(TaskId(1))), (49_999, 49_999));
    assert_eq!(graph.needs(TaskId(50_000)).len(), 49_999);
}

proptest! {
    /// 600 tasks are more than one block of columns.
    #[test]
    fn the_count_of_blocked_tasks_is_the_number_of_those_that_need_it(
        links in prop::collection::vec((2u32..=600, any::<prop::sample::Index>()), 0..900)
    ) {
        let mut links: Vec<(u32, u32)> =
            links.into_iter().map(|(from, to)| (from, to.index(from as usize - 1) as u32 + 1)).collect();
        links.sort_unstable();
        links.dedup();
        let tasks = linked(600, &links);
        let graph = Graph::new(&tasks);
        let mut expected = vec![0; 600];
        for task in &tasks {
            for id in graph.needs(task.id) {
                expected[id.0 as usize - 1] += 1;
            }
        }
        for task in &tasks {
            prop_assert_eq!(graph.blocks_count(task.id), expected[task.id.0 as usize - 1]);
        }
    }

    #[test]
    fn a_link_is_refused_exactly_when_the_target_needs_the_source(
        links in prop::collection::vec((2u32..=20, any::<prop::sample::Index>()), 0..30),
        from in 1u32..=20,
        to in 1u32..=20,
    ) {
        let links: Vec<(u32, u32)> =
            links.into_iter().map(|(from, to)| (from, to.index(from as usize - 1) as u32 + 1)).collect();
        let tasks = linked(20, &links);
        let cycle = from == to || Graph::new(&tasks).needs(TaskId(to)).contains(&TaskId(from));
        prop_assert_eq!(refused(&tasks, from, &[to]).is_some(), cycle);
    }
}
