//! How many invocations run at once, of each function and of all that have no places of their own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kit::Kit;
use store::Dir;
use tokio::sync::OnceCell;

use crate::data::{self, Place, Reserved};
use crate::error::{Error, Throttle};

/// Invocations of an account at once; SEMANTICS 1.1.
pub(crate) const ACCOUNT_MAX: u32 = 1000;
/// So many places stay for functions that reserve none.
pub(crate) const UNRESERVED_MIN: u32 = 100;
/// Of a function that shares the places of the account.
const NOTHING_RESERVED: u32 = u32::MAX;

/// The places of the account, as far as this process knows.
#[derive(Default)]
pub(crate) struct Concurrency {
    functions: Mutex<HashMap<Place, Arc<Usage>>>,
    shared: Arc<Shared>,
    /// Whether what is stored has been read.
    read: OnceCell<()>,
}

/// What the functions share that reserve nothing.
#[derive(Default)]
struct Shared {
    running: AtomicU32,
    /// Places that others have reserved.
    reserved: AtomicU32,
}

/// What a function uses, and may use.
pub(crate) struct Usage {
    running: AtomicU32,
    reserved: AtomicU32,
    shared: Arc<Shared>,
}

/// An invocation that runs. Its place is free again when this is dropped.
pub(crate) struct Running {
    usage: Arc<Usage>,
    shares: bool,
}

impl Concurrency {
    /// The usage of a function.
    pub(crate) async fn of(&self, kit: &Kit, place: &Place) -> Result<Arc<Usage>, Error> {
        self.read(kit).await?;
        Ok(self.known(place))
    }

    /// Reads what functions have reserved, once. Whoever changes it comes by here first, so that
    /// nothing older is read afterwards.
    pub(crate) async fn read(&self, kit: &Kit) -> Result<(), Error> {
        let read = || async {
            let all = data::reserved_key(&kit.account).prefix();
            for (key, value) in kit.store.scan(all, Dir::Forward, usize::MAX).await? {
                let Reserved { function, count } = store::decode(&key, &value)?;
                if let Ok(target) = data::Target::of(&function) {
                    self.set(&target.place, Some(count));
                }
            }
            Ok::<_, Error>(())
        };
        self.read.get_or_try_init(read).await.copied()
    }

    /// Notes what a function has reserved.
    pub(crate) fn set(&self, place: &Place, count: Option<u32>) {
        let usage = self.known(place);
        let count = count.unwrap_or(NOTHING_RESERVED);
        let functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        usage.reserved.store(count, Ordering::Relaxed);
        let all = functions.values().map(|usage| usage.reserved.load(Ordering::Relaxed));
        let sum = all.filter(|count| *count != NOTHING_RESERVED).sum();
        self.shared.reserved.store(sum, Ordering::Relaxed);
    }

    fn known(&self, place: &Place) -> Arc<Usage> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Usage {
                running: AtomicU32::new(0),
                reserved: AtomicU32::new(NOTHING_RESERVED),
                shared: Arc::clone(&self.shared),
            })
        };
        Arc::clone(functions.entry(place.clone()).or_insert_with(new))
    }
}

impl Usage {
    /// Takes a place for an invocation.
    pub(crate) fn enter(self: &Arc<Usage>) -> Result<Running, Error> {
        let reserved = self.reserved.load(Ordering::Relaxed);
        if reserved != NOTHING_RESERVED {
            add(&self.running, reserved).ok_or(Error::Throttled(Throttle::Reserved))?;
            return Ok(Running { usage: Arc::clone(self), shares: false });
        }
        let max = ACCOUNT_MAX.saturating_sub(self.shared.reserved.load(Ordering::Relaxed));
        add(&self.shared.running, max).ok_or(Error::Throttled(Throttle::Account))?;
        self.running.fetch_add(1, Ordering::Relaxed);
        Ok(Running { usage: Arc::clone(self), shares: true })
    }
}

/// Counts one more, if that is not more than the most.
fn add(count: &AtomicU32, max: u32) -> Option<u32> {
    let more = |count| (count < max).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.usage.running.fetch_sub(1, Ordering::Relaxed);
        if self.shares {
            self.usage.shared.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place {
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn reserved_places_are_a_function_s_own_and_missing_to_others() {
        let concurrency = Concurrency::default();
        let (own, other) = (concurrency.known(&place("own")), concurrency.known(&place("other")));
        concurrency.set(&place("own"), Some(2));
        let taken: Vec<_> = (0..998).map(|_| other.enter().unwrap()).collect();
        assert!(matches!(other.enter(), Err(Error::Throttled(Throttle::Account))));
        let two = [own.enter().unwrap(), own.enter().unwrap()];
        assert!(matches!(own.enter(), Err(Error::Throttled(Throttle::Reserved))));
        drop(two);
        assert!(own.enter().is_ok());
        concurrency.set(&place("own"), None);
        let last = [own.enter().unwrap(), other.enter().unwrap()];
        assert!(own.enter().is_err() && other.enter().is_err());
        drop((last, taken));
        concurrency.set(&place("own"), Some(0));
        assert!(own.enter().is_err());
        assert!(other.enter().is_ok());
    }
}
