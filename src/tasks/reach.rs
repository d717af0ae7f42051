//! How many nodes of an acyclic graph can reach each node: the sizes of transitive closures, exactly.
//!
//! Counting closures has no linear way in general. Where no node has two dependents it is a walk; elsewhere sets of
//! 512 columns at a time are united in machine words, one connected part after another, so that memory stays small and
//! the time is that of nodes x links / 512.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;

const WORDS: usize = 8;
const COLUMNS: usize = WORDS * 64;

/// For each node, how many others have a path to it. `order` names every node that has a link, targets first.
pub(super) fn counts(graph: &DiGraph<(), ()>, order: &[usize]) -> Vec<u32> {
    let mut counts = vec![0; graph.node_count()];
    for part in parts(graph, order) {
        if part.iter().any(|at| comes_to(graph, *at).nth(1).is_some()) {
            count_sets(graph, &part, &mut counts);
        } else {
            count_chain(graph, &part, &mut counts);
        }
    }
    counts
}

/// The connected parts that have a link, each in `order`.
fn parts(graph: &DiGraph<(), ()>, order: &[usize]) -> Vec<Vec<usize>> {
    let mut same = UnionFind::<usize>::new(graph.node_count());
    for edge in graph.edge_references() {
        same.union(edge.source().index(), edge.target().index());
    }
    let mut number: HashMap<usize, usize> = HashMap::new();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for &at in order {
        let next = parts.len();
        let part = *number.entry(same.find_mut(at)).or_insert(next);
        if part == next {
            parts.push(Vec::new());
        }
        parts[part].push(at);
    }
    parts.retain(|part| part.len() > 1);
    parts
}

fn comes_to(graph: &DiGraph<(), ()>, at: usize) -> impl Iterator<Item = usize> {
    graph.neighbors_directed(NodeIndex::new(at), Direction::Incoming).map(NodeIndex::index)
}

/// Every node has at most one dependent: that one, and all that wait for it.
fn count_chain(graph: &DiGraph<(), ()>, part: &[usize], counts: &mut [u32]) {
    for &at in part.iter().rev() {
        counts[at] = comes_to(graph, at).map(|dependent| counts[dependent] + 1).sum();
    }
}

fn count_sets(graph: &DiGraph<(), ()>, part: &[usize], counts: &mut [u32]) {
    let local: HashMap<usize, usize> = part.iter().enumerate().map(|(row, at)| (*at, row)).collect();
    let dependents: Vec<Vec<usize>> =
        part.iter().map(|at| comes_to(graph, *at).map(|dependent| local[&dependent]).collect()).collect();
    let mut sets = vec![[0_u64; WORDS]; part.len()];
    for start in (0..part.len()).step_by(COLUMNS) {
        let end = (start + COLUMNS).min(part.len());
        sets.fill([0; WORDS]);
        // A dependent stands behind what it waits for, so rows from `end` on have nothing in these columns.
        for row in (0..end).rev() {
            let set = united(&sets, &dependents[row], start..end);
            sets[row] = set;
            counts[part[row]] += set.iter().map(|word| word.count_ones()).sum::<u32>();
        }
    }
}

fn united(sets: &[[u64; WORDS]], dependents: &[usize], columns: std::ops::Range<usize>) -> [u64; WORDS] {
    let mut set = [0; WORDS];
    for &dependent in dependents {
        for (word, other) in set.iter_mut().zip(&sets[dependent]) {
            *word |= other;
        }
        if columns.contains(&dependent) {
            let column = dependent - columns.start;
            set[column / 64] |= 1 << (column % 64);
        }
    }
    set
}
