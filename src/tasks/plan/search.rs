//! Finds the selection: greedy in three orders, then branch and bound from the best of them, then local improvement of
//! what could not be proven.
//!
//! Work is counted in items looked at, never in time, so the same problem always ends at the same selection. Nothing
//! recurses: a sprint may hold as many tasks as there are.

use std::cmp::Reverse;

use super::problem::{Item, Problem, SCALE};

/// Items that branch and bound may look at: some ten milliseconds.
const SEARCH_WORK: usize = 3_000_000;
/// The same for local improvement.
const IMPROVE_WORK: usize = 1_500_000;

pub(super) struct Found {
    /// By item.
    pub chosen: Vec<bool>,
    /// No selection is worth more, in half points. Equal to the value of `chosen` when that is proven to be the best.
    pub bound: u64,
}

pub(super) fn solve(problem: &Problem) -> Found {
    let mut best = orders(problem)
        .into_iter()
        .map(|order| {
            let mut selection = Selection::empty(problem);
            selection.fill(&order, None);
            selection
        })
        .fold(Selection::empty(problem), better);
    let mut search = Search::new(problem, best.value);
    let bound = search.bound(0);
    let complete = search.run();
    if let Some(found) = search.found.take() {
        best = found;
    }
    if !complete {
        best = improve(problem, best);
    }
    Found { bound: if complete { best.value } else { bound }, chosen: best.chosen }
}

/// By spread value per minute; by own value per minute, the plain greedy; by value alone.
fn orders(problem: &Problem) -> [Vec<usize>; 3] {
    let items = &problem.items;
    let mut plain = problem.order.clone();
    plain.sort_unstable_by(|a, b| own_rate(&items[*b], &items[*a]).then(items[*a].at.cmp(&items[*b].at)));
    let mut valued = problem.order.clone();
    valued.sort_by_key(|number| Reverse(items[*number].value));
    [problem.order.clone(), plain, valued]
}

fn own_rate(a: &Item, b: &Item) -> std::cmp::Ordering {
    let free = (a.minutes == 0).cmp(&(b.minutes == 0));
    free.then((a.value * b.minutes).cmp(&(b.value * a.minutes)))
}

fn better<'p>(a: Selection<'p>, b: Selection<'p>) -> Selection<'p> {
    if b.value > a.value { b } else { a }
}

/// A set of items that has all dependencies and fits.
#[derive(Clone)]
struct Selection<'p> {
    problem: &'p Problem,
    chosen: Vec<bool>,
    value: u64,
    minutes: u64,
    /// The item that is being taken, and what comes in with it.
    added: Vec<usize>,
    looked_at: usize,
}

impl<'p> Selection<'p> {
    fn empty(problem: &'p Problem) -> Self {
        let chosen = vec![false; problem.items.len()];
        Self { problem, chosen, value: 0, minutes: 0, added: Vec::new(), looked_at: 0 }
    }

    /// Takes each item of the order, with what it still waits for, if there is room.
    fn fill(&mut self, order: &[usize], banned: Option<usize>) {
        for &number in order {
            self.looked_at += 1;
            self.take(number, banned);
        }
    }

    fn take(&mut self, number: usize, banned: Option<usize>) {
        if self.chosen[number] || !self.problem.items[number].possible {
            return;
        }
        let mut next = 0;
        self.add(number);
        while let Some(&item) = self.added.get(next) {
            next += 1;
            if self.minutes > self.problem.capacity || banned == Some(item) {
                self.take_back();
                return;
            }
            for below in 0..self.problem.items[item].waits_for.len() {
                self.looked_at += 1;
                self.add(self.problem.items[item].waits_for[below]);
            }
        }
        self.added.clear();
    }

    fn add(&mut self, number: usize) {
        if !std::mem::replace(&mut self.chosen[number], true) {
            self.added.push(number);
            self.minutes += self.problem.items[number].minutes;
            self.value += self.problem.items[number].value;
        }
    }

    fn take_back(&mut self) {
        for number in self.added.drain(..) {
            self.chosen[number] = false;
            self.minutes -= self.problem.items[number].minutes;
            self.value -= self.problem.items[number].value;
        }
    }

    /// Gives an item up, and all chosen ones that wait for it.
    fn give_up(&mut self, number: usize) {
        let mut open = vec![number];
        while let Some(item) = open.pop() {
            if !std::mem::take(&mut self.chosen[item]) {
                continue;
            }
            self.minutes -= self.problem.items[item].minutes;
            self.value -= self.problem.items[item].value;
            self.looked_at += self.problem.items[item].waited_by.len();
            open.extend(self.problem.items[item].waited_by.iter().copied());
        }
    }
}

/// Gives up one item after another and fills the room without it; forces one in after another and gives up the
/// least worth for it. Starts again from each gain, until nothing gains or the work is used up.
fn improve<'p>(problem: &'p Problem, mut best: Selection<'p>) -> Selection<'p> {
    let mut work = 0;
    'again: loop {
        for &number in problem.order.iter().rev() {
            let mut tried = best.clone();
            tried.looked_at = problem.items.len();
            if tried.chosen[number] {
                tried.give_up(number);
                tried.fill(&problem.order, Some(number));
            } else if problem.items[number].possible {
                force(&mut tried, number);
            }
            work += tried.looked_at;
            if tried.value > best.value {
                best = tried;
                continue 'again;
            }
            if work > IMPROVE_WORK {
                return best;
            }
        }
        return best;
    }
}

fn force(selection: &mut Selection, number: usize) {
    let order = &selection.problem.order;
    let before = selection.clone();
    *selection = Selection { looked_at: before.looked_at, ..Selection::empty(before.problem) };
    selection.take(number, None);
    for &kept in order.iter().filter(|item| before.chosen[**item]) {
        selection.take(kept, None);
    }
    selection.fill(order, None);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Undecided,
    In,
    Out,
}

/// Branch and bound, depth first. The items are decided in the order of the bound: first with, then without.
struct Search<'p> {
    problem: &'p Problem,
    state: Vec<State>,
    /// Items in the order in which they were decided, to undo by.
    trail: Vec<usize>,
    /// Where in the order each choice was made, how long the trail was, and whether "without" is still to be tried.
    choices: Vec<(usize, usize, bool)>,
    minutes: u64,
    value: u64,
    spread: i64,
    best: u64,
    found: Option<Selection<'p>>,
    work: usize,
}

impl<'p> Search<'p> {
    fn new(problem: &'p Problem, best: u64) -> Self {
        let state =
            problem.items.iter().map(|item| if item.possible { State::Undecided } else { State::Out }).collect();
        Self {
            problem,
            state,
            trail: Vec::new(),
            choices: Vec::new(),
            minutes: 0,
            value: 0,
            spread: 0,
            best,
            found: None,
            work: 0,
        }
    }

    /// Whether the whole tree was seen: then nothing is worth more than the best.
    fn run(&mut self) -> bool {
        let mut place = 0;
        loop {
            if self.work > SEARCH_WORK {
                return false;
            }
            while self.problem.order.get(place).is_some_and(|item| self.state[*item] != State::Undecided) {
                place += 1;
                self.work += 1;
            }
            if place < self.problem.order.len() && self.bound(place) > self.best {
                let number = self.problem.order[place];
                let trail = self.trail.len();
                let taken = self.decide_in(number);
                if !taken {
                    self.decide_out(number);
                }
                self.choices.push((place, trail, taken));
                self.keep_if_better();
                place += 1;
            } else {
                match self.next_branch() {
                    Some(next) => place = next,
                    None => return true,
                }
            }
        }
    }

    /// Goes back to the last choice that has a "without" to try, and makes it.
    fn next_branch(&mut self) -> Option<usize> {
        while let Some((place, trail, without)) = self.choices.pop() {
            self.undo_to(trail);
            if without {
                self.decide_out(self.problem.order[place]);
                self.choices.push((place, trail, false));
                return Some(place + 1);
            }
        }
        None
    }

    /// No selection below this node is worth more, in half points: what is in, filled up in order, the last one in part.
    fn bound(&mut self, from: usize) -> u64 {
        let mut room = self.problem.capacity - self.minutes;
        let whole = room;
        let mut sum = i128::from(self.spread);
        for &number in &self.problem.order[from..] {
            self.work += 1;
            let item = &self.problem.items[number];
            if self.state[number] != State::Undecided || item.minutes > whole {
                continue;
            }
            if item.minutes > room {
                let part = i128::from(item.spread) * i128::from(room);
                sum += part / i128::from(item.minutes) + 1;
                break;
            }
            room -= item.minutes;
            sum += i128::from(item.spread);
        }
        u64::try_from(sum / i128::from(SCALE)).unwrap_or(0)
    }

    /// Takes the item with all that it waits for, if there is room.
    fn decide_in(&mut self, number: usize) -> bool {
        let start = self.trail.len();
        let mut next = start;
        self.set(number, State::In);
        while let Some(&item) = self.trail.get(next) {
            next += 1;
            if self.minutes > self.problem.capacity {
                self.undo_to(start);
                return false;
            }
            for below in 0..self.problem.items[item].waits_for.len() {
                self.set(self.problem.items[item].waits_for[below], State::In);
            }
        }
        let fits = self.minutes <= self.problem.capacity;
        if !fits {
            self.undo_to(start);
        }
        fits
    }

    /// Leaves the item out, and all that wait for it.
    fn decide_out(&mut self, number: usize) {
        let mut next = self.trail.len();
        self.set(number, State::Out);
        while let Some(&item) = self.trail.get(next) {
            next += 1;
            for above in 0..self.problem.items[item].waited_by.len() {
                self.set(self.problem.items[item].waited_by[above], State::Out);
            }
        }
    }

    fn set(&mut self, number: usize, state: State) {
        self.work += 1;
        if self.state[number] != State::Undecided {
            return;
        }
        self.state[number] = state;
        self.trail.push(number);
        if state == State::In {
            let item = &self.problem.items[number];
            self.minutes += item.minutes;
            self.value += item.value;
            self.spread += item.spread;
        }
    }

    fn undo_to(&mut self, length: usize) {
        for number in self.trail.drain(length..) {
            if self.state[number] == State::In {
                let item = &self.problem.items[number];
                self.minutes -= item.minutes;
                self.value -= item.value;
                self.spread -= item.spread;
            }
            self.state[number] = State::Undecided;
        }
    }

    fn keep_if_better(&mut self) {
        if self.value <= self.best {
            return;
        }
        self.best = self.value;
        self.work += self.state.len() / 8;
        self.found = Some(Selection {
            problem: self.problem,
            chosen: self.state.iter().map(|state| *state == State::In).collect(),
            value: self.value,
            minutes: self.minutes,
            added: Vec::new(),
            looked_at: 0,
        });
    }
}
