//! The kept answers, bounded by bytes, each with its own time to live; and the way to the calls that are under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

use super::CacheKey;
use super::flights::{Flights, Follower, Landed, Lead, Place};
use crate::chat::{Finish, NanoUsd, Reply};
use crate::names::{ModelName, TierName};

/// What the cache itself holds for an entry: its places in the map and in the queues, measured in round figures.
const OVERHEAD_BYTES: usize = 256;
/// What each chunk takes beside its text: the pointer to it, its length and two counters.
const CHUNK_BYTES: usize = 32;

#[derive(Clone)]
pub struct Answers {
    entries: Cache<CacheKey, Arc<CachedAnswer>>,
    flights: Flights,
}

/// A complete answer and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedAnswer {
    pub model: ModelName,
    pub tier: TierName,
    pub reply: Reply,
    /// The stream that it came as, for whoever reads it as one; empty where nobody did.
    pub chunks: Arc<[Arc<str>]>,
    /// All that the request which got it had paid by then: what it saves whoever is given it again.
    pub cost: NanoUsd,
    /// How long it is kept. None: it is for those alone who asked while it was under way.
    pub ttl: Duration,
}

/// What there is for a question.
#[derive(Debug)]
pub enum Found {
    Kept(Arc<CachedAnswer>),
    /// An equal request is in flight.
    InFlight(Follower),
    /// Whoever asks makes the call, for all who ask the same.
    Nothing(Lead),
}

impl Answers {
    pub fn new(max_bytes: u64) -> Self {
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, answer: &Arc<CachedAnswer>| u32::try_from(answer.bytes()).unwrap_or(u32::MAX))
            .expire_after(OwnTtl)
            .build();
        Self { entries, flights: Flights::default() }
    }

    pub async fn look(&self, key: CacheKey) -> Found {
        if let Some(answer) = self.entries.get(&key).await {
            return Found::Kept(answer);
        }
        match self.flights.join(key) {
            Place::Follows(follower) => Found::InFlight(follower),
            // The call that was in flight may have come to its answer between the two looks.
            Place::Leads(lead) => match self.entries.get(&key).await {
                Some(answer) => {
                    lead.land(Landed::Answer(answer.clone()));
                    Found::Kept(answer)
                }
                None => Found::Nothing(lead),
            },
        }
    }

    /// Keeps an answer, in place of the one before.
    pub async fn keep(&self, key: CacheKey, answer: CachedAnswer) {
        self.entries.insert(key, Arc::new(answer)).await;
    }

    /// Drops this answer, unless another has taken its place.
    pub async fn forget(&self, key: CacheKey, answer: &Arc<CachedAnswer>) {
        if self.entries.get(&key).await.is_some_and(|kept| Arc::ptr_eq(&kept, answer)) {
            self.entries.invalidate(&key).await;
        }
    }
}

impl CachedAnswer {
    /// Good for others: the model stopped by itself.
    pub fn is_whole(&self) -> bool {
        self.reply.finish == Finish::Stop
    }

    /// What it holds, with what is held for it. The names are the policy's own.
    fn bytes(&self) -> usize {
        let Reply { text, finish, usage: _, model } = &self.reply;
        let word = if let Finish::Other(word) = finish { word.capacity() } else { 0 };
        let texts = text.capacity() + model.as_ref().map_or(0, String::capacity) + word;
        let chunks: usize = self.chunks.iter().map(|chunk| CHUNK_BYTES + chunk.len()).sum();
        OVERHEAD_BYTES + size_of::<CacheKey>() + size_of::<Self>() + texts + chunks
    }
}

struct OwnTtl;

impl Expiry<CacheKey, Arc<CachedAnswer>> for OwnTtl {
    fn expire_after_create(&self, _: &CacheKey, answer: &Arc<CachedAnswer>, _: Instant) -> Option<Duration> {
        Some(answer.ttl)
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        answer: &Arc<CachedAnswer>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(answer.ttl)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::KeyParts;
    use super::*;

    pub fn key(caller: &str) -> CacheKey {
        CacheKey::of(&KeyParts { caller, target: "t", policy_hash: "p", prompt_version: "1", requests: vec![] })
    }

    pub fn answer(text: &str) -> CachedAnswer {
        let reply = Reply { text: text.into(), finish: Finish::Stop, usage: None, model: None };
        let (model, tier, ttl) = ("m".into(), "local".into(), Duration::from_secs(60));
        CachedAnswer { model, tier, reply, chunks: Arc::default(), cost: NanoUsd::ZERO, ttl }
    }

    async fn kept(answers: &Answers) -> Option<String> {
        match answers.look(key("a")).await {
            Found::Kept(answer) => Some(answer.reply.text.clone()),
            Found::InFlight(_) | Found::Nothing(_) => None,
        }
    }

    #[tokio::test]
    async fn who_asks_first_leads_and_who_asks_then_waits_until_something_is_kept() {
        let answers = Answers::new(1 << 20);
        let Found::Nothing(lead) = answers.look(key("a")).await else { panic!("something was there") };
        let Found::InFlight(follower) = answers.look(key("a")).await else { panic!("nobody leads") };
        answers.keep(key("a"), answer("one")).await;
        let landed = Landed::Answer(Arc::new(answer("one")));
        lead.land(landed.clone());
        assert_eq!(follower.end().await, Some(landed));
        assert_eq!(kept(&answers).await.as_deref(), Some("one"));
    }

    #[tokio::test]
    async fn a_new_answer_replaces_the_kept_one_and_a_wrong_one_is_dropped_alone() {
        let answers = Answers::new(1 << 20);
        answers.keep(key("a"), answer("old")).await;
        let Found::Kept(old) = answers.look(key("a")).await else { panic!("nothing was kept") };
        answers.keep(key("a"), answer("new")).await;
        answers.forget(key("a"), &old).await;
        assert_eq!(kept(&answers).await.as_deref(), Some("new"), "only the old one was to go");
        let Found::Kept(new) = answers.look(key("a")).await else { panic!("nothing was kept") };
        answers.forget(key("a"), &new).await;
        assert_eq!(kept(&answers).await, None);
    }

    #[tokio::test]
    async fn an_answer_is_gone_after_its_own_time() {
        let answers = Answers::new(1 << 20);
        answers.keep(key("a"), CachedAnswer { ttl: Duration::from_millis(1), ..answer("short") }).await;
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(kept(&answers).await, None);
        answers.keep(key("a"), answer("long")).await;
        answers.keep(key("a"), CachedAnswer { ttl: Duration::from_millis(1), ..answer("short") }).await;
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(kept(&answers).await, None, "a replaced answer has the time of the new one");
    }

    #[test]
    fn an_entry_weighs_all_the_text_that_it_holds() {
        let none = answer("").bytes();
        assert!(none >= size_of::<CachedAnswer>() + size_of::<CacheKey>());
        let mut full = answer("");
        full.reply.text = "x".repeat(1_000);
        full.reply.model = Some("y".repeat(100));
        full.reply.finish = Finish::Other("z".repeat(10));
        assert_eq!(full.bytes(), none + 1_110);
        let mut roomy = answer("");
        roomy.reply.text = String::with_capacity(4_096);
        assert!(roomy.bytes() >= none + 4_096, "what is held counts, not what is used of it");
        let chunks: Arc<[Arc<str>]> = ["x".repeat(50), "y".repeat(50)].map(Arc::from).into();
        let streamed = CachedAnswer { chunks, ..answer("") };
        assert_eq!(streamed.bytes(), none + 100 + 2 * CHUNK_BYTES);
    }

    proptest! {
        #[test]
        fn what_is_kept_never_outgrows_its_bound(sizes in prop::collection::vec(0usize..9_000, 1..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                const MOST: u64 = 20_000;
                let answers = Answers::new(MOST);
                for (at, size) in sizes.into_iter().enumerate() {
                    answers.keep(key(&at.to_string()), answer(&"x".repeat(size))).await;
                    answers.entries.run_pending_tasks().await;
                    let held: usize = answers.entries.iter().map(|(_, answer)| answer.bytes()).sum();
                    assert!(held as u64 <= MOST, "{held} bytes");
                }
            });
        }
    }
}
