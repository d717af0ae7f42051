//! The kept answers, bounded by bytes, each with its own time to live; equal requests in flight share one call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

use super::CacheKey;
use crate::chat::Reply;
use crate::names::{ModelName, TierName};

/// What an entry weighs beside its text.
const OVERHEAD_BYTES: u32 = 256;

#[derive(Clone)]
pub struct Answers {
    entries: Cache<CacheKey, Arc<CachedAnswer>>,
}

/// An accepted, complete answer and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedAnswer {
    pub model: ModelName,
    pub tier: TierName,
    pub reply: Reply,
    pub ttl: Duration,
}

/// Where an answer came from.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// It was there.
    Hit(Arc<CachedAnswer>),
    /// An equal request was in flight, and its answer serves this one too.
    Shared(Arc<CachedAnswer>),
    /// This request made the call. The answer, if it was worth keeping, is kept.
    Led,
    /// The request that made the call came back without an answer; the caller has to ask on its own.
    LeaderFailed,
}

impl Answers {
    pub fn new(max_bytes: u64) -> Self {
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, answer: &Arc<CachedAnswer>| {
                u32::try_from(answer.reply.text.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD_BYTES)
            })
            .expire_after(OwnTtl)
            .build();
        Self { entries }
    }

    /// Finds the answer or makes it. `call` runs at most once per key at a time, in the task of the request that came
    /// first; what it returns is kept if it is an answer. The caller must not drop this future while it leads: the
    /// gateway runs it in a task of its own.
    pub async fn find_or(&self, key: CacheKey, call: impl Future<Output = Option<CachedAnswer>>) -> Lookup {
        if let Some(answer) = self.entries.get(&key).await {
            return Lookup::Hit(answer);
        }
        let mut led = false;
        let call = async {
            led = true;
            call.await.map(Arc::new).ok_or(NoAnswer)
        };
        match (self.entries.try_get_with(key, call).await, led) {
            (_, true) => Lookup::Led,
            (Ok(answer), false) => Lookup::Shared(answer),
            (Err(_), false) => Lookup::LeaderFailed,
        }
    }

    /// Keeps an answer that was asked for afresh, in place of the one before.
    pub async fn keep(&self, key: CacheKey, answer: CachedAnswer) {
        self.entries.insert(key, Arc::new(answer)).await;
    }
}

struct NoAnswer;

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
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::KeyParts;
    use super::*;
    use crate::chat::Finish;

    fn key(caller: &str) -> CacheKey {
        CacheKey::of(&KeyParts { caller, target: "t", policy_hash: "p", prompt_version: "1", requests: vec![] })
    }

    fn answer(text: &str) -> CachedAnswer {
        let reply = Reply { text: text.into(), finish: Finish::Stop, usage: None, model: None };
        CachedAnswer { model: "m".into(), tier: "local".into(), reply, ttl: Duration::from_secs(60) }
    }

    #[tokio::test]
    async fn equal_requests_in_flight_share_one_call() {
        let (answers, calls) = (Answers::new(1 << 20), AtomicU32::new(0));
        let ask = || {
            answers.find_or(key("a"), async {
                calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(30)).await;
                Some(answer("one"))
            })
        };
        let (first, second) = tokio::join!(ask(), ask());
        assert_eq!(first, Lookup::Led);
        assert_eq!(second, Lookup::Shared(Arc::new(answer("one"))));
        assert_eq!(ask().await, Lookup::Hit(Arc::new(answer("one"))));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_call_without_an_answer_leaves_nothing_behind() {
        let answers = Answers::new(1 << 20);
        assert_eq!(answers.find_or(key("a"), async { None }).await, Lookup::Led);
        assert_eq!(answers.find_or(key("a"), async { Some(answer("late")) }).await, Lookup::Led);
        assert!(matches!(answers.find_or(key("a"), async { None }).await, Lookup::Hit(_)));
    }

    #[tokio::test]
    async fn a_fresh_answer_replaces_the_kept_one() {
        let answers = Answers::new(1 << 20);
        answers.keep(key("a"), answer("old")).await;
        answers.keep(key("a"), answer("new")).await;
        let found = answers.find_or(key("a"), async { None }).await;
        assert_eq!(found, Lookup::Hit(Arc::new(answer("new"))));
    }
}
