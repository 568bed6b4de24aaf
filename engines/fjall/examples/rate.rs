//! How fast this disk and this engine are: the reference that `bench/` sets its figures against.
//!
//! `cargo run --release -p engine-fjall --example rate [folder]` prints one JSON line:
//! raw batches of 64 writes a second, one after the other, each synced; single durable
//! transactions a second from one task; and read-modify-write transactions a second from 64.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring program")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::AccountId;
use bytes::Bytes;
use engine_fjall::Fjall;
use store::{Batch, Blobs, Engine, Error, Key, Space, Store, Tx};

const RUN: Duration = Duration::from_secs(2);
const VALUE_BYTES: usize = 256;
const TASKS: u64 = 64;
/// Keys of one task: enough that a read is not always of what was just written.
const KEYS: u64 = 1000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("cumulet-rate-{}", std::process::id()));
    let opening = Instant::now();
    let engine: Arc<dyn Engine> = Arc::new(Fjall::open(&folder)?);
    let open_ms = opening.elapsed().as_secs_f64() * 1000.0;
    let idle_kb = resident_kb();

    let batches = raw_batches(&*engine).await?;
    let store = Store::open(engine, Blobs::memory(), "rate").await?;
    let lone = transactions(&store, 1).await?;
    let together = transactions(&store, TASKS).await?;
    store.close().await?;
    drop(store);
    let (_reopened, reopen_ms) = reopen(&folder)?;
    println!(
        "{{\"open_ms\": {open_ms:.1}, \"idle_rss_kb\": {idle_kb}, \"raw_batches_64_per_s\": \
         {batches:.0}, \"rmw_tx_per_s_1_task\": {lone:.0}, \"rmw_tx_per_s_64_tasks\": \
         {together:.0}, \"reopen_ms\": {reopen_ms:.1}, \"rss_kb\": {}}}",
        resident_kb()
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Opens the folder again; the tasks of the closed store let go of it a moment later.
fn reopen(folder: &Path) -> Result<(Fjall, f64), engine_fjall::Error> {
    loop {
        let opening = Instant::now();
        match Fjall::open(folder) {
            Err(engine_fjall::Error::Locked { .. }) => std::thread::yield_now(),
            opened => return Ok((opened?, opening.elapsed().as_secs_f64() * 1000.0)),
        }
    }
}

async fn raw_batches(engine: &dyn Engine) -> Result<f64, Failure> {
    let account: AccountId = "111111111111".parse()?;
    let epoch = engine.acquire(&account, "rate").await?;
    let space = Space::new(&account, "rate");
    let (started, mut count) = (Instant::now(), 0u32);
    while started.elapsed() < RUN {
        let mut batch = Batch::default();
        for n in 0..64 {
            let key = space.key(1).u64(u64::from(count) % KEYS).u64(n);
            batch.write(key, Some(Bytes::from_static(&[7; VALUE_BYTES])));
        }
        engine.commit(&account, epoch, Arc::new(batch)).await?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn transactions(store: &Store, tasks: u64) -> Result<f64, Failure> {
    let account: AccountId = "000000000000".parse()?;
    let started = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (store, account) = (store.clone(), account.clone());
            tokio::spawn(async move {
                let space = Space::new(&account, "rate");
                let mut count = 0u32;
                while started.elapsed() < RUN {
                    let key = space.key(2).u64(task).u64(u64::from(count) % KEYS);
                    let change = |tx: Tx| modify(tx, key.clone());
                    store.transact(&account, change).await?;
                    count += 1;
                }
                Ok::<_, Error>(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in running {
        count += task.await??;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn modify(tx: Tx, key: Key) -> Result<(), Error> {
    let old = tx.get(&key).await?;
    let mut new = old.map_or_else(|| vec![0; VALUE_BYTES], |old| old.to_vec());
    new[0] = new[0].wrapping_add(1);
    tx.put(key, new);
    Ok(())
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
