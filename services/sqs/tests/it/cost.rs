//! What a receive of a FIFO queue reads does not grow with what waits.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base::{AccountId, BoxFuture, Time, VirtualClock};
use bytes::Bytes;
use serde_json::json;
use store::{Batch, Blobs, Caps, Dir, Engine, Epoch, Key, KeyRange, Limit, Page, Result};

use crate::Server;
use crate::fifo::fifo;

/// Counts the entries that scans visit, with those deleted: a log-structured engine keeps them.
struct Counting {
    inner: engine_memory::Memory,
    deleted: Mutex<BTreeSet<Key>>,
    visited: AtomicUsize,
}

impl Engine for Counting {
    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.inner.get(key)
    }

    fn scan(&self, range: KeyRange, dir: Dir, limit: Limit) -> BoxFuture<'_, Result<Page>> {
        Box::pin(async move {
            let page = self.inner.scan(range.clone(), dir, limit).await?;
            let end = match page.entries.last() {
                Some((last, _)) if page.more => last.successor(),
                _ => range.end,
            };
            let waded = self.deleted.lock().unwrap().range(range.start.clone()..end).count();
            // The lines of due work read ahead, for all queues; they have tests of their own.
            if range.start.as_bytes().starts_with(b"000000000000sqs") {
                self.visited.fetch_add(waded + page.entries.len(), Ordering::Relaxed);
            }
            Ok(page)
        })
    }

    fn commit<'a>(
        &'a self,
        shard: &'a AccountId,
        epoch: Epoch,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<()>> {
        for (key, value) in batch.iter() {
            let mut deleted = self.deleted.lock().unwrap();
            match value {
                None => deleted.insert(key.clone()),
                Some(_) => deleted.remove(key),
            };
        }
        self.inner.commit(shard, epoch, batch)
    }

    fn acquire<'a>(&'a self, shard: &'a AccountId, owner: &'a str) -> BoxFuture<'a, Result<Epoch>> {
        self.inner.acquire(shard, owner)
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        self.inner.backup(to)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.close()
    }
}

async fn send_many(server: &Server, url: &str, group: &str, count: usize) {
    for batch in 0..count / 10 {
        let entry = |n: usize| {
            let id = format!("{group}-{batch}-{n}");
            json!({
                "Id": n.to_string(), "MessageBody": "x", "MessageGroupId": group,
                "MessageDeduplicationId": id,
            })
        };
        let entries: Vec<_> = (0..10).map(entry).collect();
        server.ok("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    }
}

#[tokio::test]
async fn a_receive_reads_the_same_whatever_waits_or_is_blocked() {
    let engine = Arc::new(Counting {
        inner: engine_memory::Memory::new(),
        deleted: Mutex::default(),
        visited: AtomicUsize::new(0),
    });
    let clock = Arc::new(VirtualClock::new(Time::from_millis(1_700_000_000_000)));
    let server = &Server::on(Arc::clone(&engine) as _, Blobs::memory(), clock).await;
    let url = &fifo(server, "q.fifo", json!({})).await;
    let long = json!({ "VisibilityTimeout": 43_200, "MaxNumberOfMessages": 1 });
    for group in 0..100 {
        send_many(server, url, &format!("blocked{group}"), 20).await;
        assert_eq!(server.receive_with(url, long.clone()).await.len(), 1);
    }
    send_many(server, url, "long", 2000).await;
    let before = engine.visited.load(Ordering::Relaxed);
    for _ in 0..1000 {
        let taken = server.receive_with(url, json!({ "MaxNumberOfMessages": 1 })).await;
        server.delete(url, &taken[0]).await;
    }
    let visited = engine.visited.load(Ordering::Relaxed) - before;
    assert!(visited < 1000 * 10, "{visited} entries visited for a thousand messages");
}
