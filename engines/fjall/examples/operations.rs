//! What this engine and this disk do by themselves, without requests, transactions and items: the
//! reference that `bench/run tables` sets tables against.
//!
//! `operations FOLDER SECONDS ITEMS CLIENTS…` prints one JSON line: for each number of clients, how
//! many gets, puts, updates, queries and transactions a second. Writers share batches, as clients
//! that write at once do: a batch has a write of each of them, is synced, and the next one begins.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring program")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::AccountId;
use bytes::Bytes;
use engine_fjall::Fjall;
use store::{Batch, Dir, Engine, Epoch, Key, Limit, Space};

/// What an item of the bench takes in the store.
const VALUE_BYTES: usize = 240;
const PARTITION_ITEMS: u64 = 100;
const TRANSACT_ITEMS: u64 = 10;
const FILL_ITEMS: u64 = 1000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Bench {
    engine: Arc<dyn Engine>,
    account: AccountId,
    epoch: Epoch,
    seconds: Duration,
    items: u64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds, items, clients @ ..] = &args[..] else {
        return Err("operations FOLDER SECONDS ITEMS CLIENTS…".into());
    };
    let folder = PathBuf::from(folder).join(format!("cumulet-engine-{}", std::process::id()));
    let engine: Arc<dyn Engine> = Arc::new(Fjall::open(&folder)?);
    let account: AccountId = "000000000000".parse()?;
    let epoch = engine.acquire(&account, "bench").await?;
    let seconds = Duration::from_secs(seconds.parse()?);
    let bench = Bench { engine, account, epoch, seconds, items: items.parse()? };
    for first in (0..bench.items).step_by(usize::try_from(FILL_ITEMS)?) {
        bench.commit(first..(first + FILL_ITEMS).min(bench.items)).await?;
    }
    let mut rows = Vec::new();
    for clients in clients {
        let clients: u64 = clients.parse()?;
        rows.push(format!(
            "\"{clients}\": {{\"get\": {:.0}, \"put\": {:.0}, \"update\": {:.0}, \"query\": {:.0}, \
             \"transact\": {:.0}}}",
            bench.reads(clients, Bench::get).await?,
            bench.writes(clients, 1, false).await?,
            bench.writes(clients, 1, true).await?,
            bench.reads(clients, Bench::query).await?,
            bench.writes(clients, TRANSACT_ITEMS, false).await?,
        ));
    }
    println!("{{{}}}", rows.join(", "));
    bench.engine.close().await?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

impl Bench {
    fn key(&self, item: u64) -> Key {
        let partition = format!("p{:08}", item / PARTITION_ITEMS);
        let space = Space::new(&self.account, "bench").key(1).u64(1);
        space.str(&partition).str(&format!("s{:02}", item % PARTITION_ITEMS))
    }

    async fn commit(&self, items: impl Iterator<Item = u64>) -> Result<(), Failure> {
        let mut batch = Batch::default();
        for item in items {
            batch.write(self.key(item), Some(Bytes::from_static(&[b'x'; VALUE_BYTES])));
        }
        Ok(self.engine.commit(&self.account, self.epoch, Arc::new(batch)).await?)
    }

    async fn get(self, item: u64) -> Result<(), Failure> {
        let found = self.engine.get(&self.key(item)).await?;
        found.map(|_| ()).ok_or_else(|| "an item is missing".into())
    }

    async fn query(self, item: u64) -> Result<(), Failure> {
        let first = item / PARTITION_ITEMS * PARTITION_ITEMS;
        let range = self.key(first).prefix().start;
        let range = store::KeyRange::new(range, self.key(first + PARTITION_ITEMS));
        let limit = Limit::items(usize::try_from(PARTITION_ITEMS)?);
        let page = self.engine.scan(range, Dir::Forward, limit).await?;
        if page.entries.len() == limit.items { Ok(()) } else { Err("items are missing".into()) }
    }

    /// Reads at once, each client one after the other. A second.
    async fn reads<F>(&self, clients: u64, read: fn(Bench, u64) -> F) -> Result<f64, Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let began = Instant::now();
        let running: Vec<_> = (0..clients)
            .map(|client| {
                let bench = self.clone();
                tokio::spawn(async move {
                    let (mut chance, mut count) = (Chance::of(client), 0u32);
                    while began.elapsed() < bench.seconds {
                        read(bench.clone(), chance.next(bench.items)).await?;
                        count += 1;
                        tokio::task::yield_now().await;
                    }
                    Ok::<_, Failure>(count)
                })
            })
            .collect();
        let mut count = 0;
        for reader in running {
            count += reader.await??;
        }
        Ok(f64::from(count) / began.elapsed().as_secs_f64())
    }

    /// Batches with the writes of so many clients, each of so many items, which an update reads
    /// first. Writes a second.
    async fn writes(&self, clients: u64, items: u64, looks: bool) -> Result<f64, Failure> {
        let (began, mut chance, mut count) = (Instant::now(), Chance::of(0), 0u64);
        while began.elapsed() < self.seconds {
            let written: Vec<u64> = (0..clients * items).map(|_| chance.next(self.items)).collect();
            for item in written.iter().filter(|_| looks) {
                self.clone().get(*item).await?;
            }
            self.commit(written.into_iter()).await?;
            count += clients;
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let count = count as f64;
        Ok(count / began.elapsed().as_secs_f64())
    }
}

/// Chance that needs nothing: xorshift.
struct Chance(u64);

impl Chance {
    fn of(client: u64) -> Chance {
        Chance((client + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
