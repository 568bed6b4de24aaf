//! The process that puts others into cgroups.
//!
//! To move a process from one group to another the kernel waits until all processors have noticed,
//! which takes longer than any cold start. So a process of its own does it, beside the launcher.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use host::Limits;
use rustix::event::{PollFd, PollFlags};
use serde::{Deserialize, Serialize};

use crate::cgroup::{Group, Parent};
use crate::message;

/// How often, and how long, groups are looked at whose last processes are ending with us.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: usize = 200;

/// What the launcher wants.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Make a group and put this process, and so what it starts, into it. Answered by [`Added`].
    Add {
        id: u64,
        pid: i32,
        limits: Limits,
        /// Whether an event waits for it, or something will only wait for one.
        urgent: bool,
    },
    Limit {
        id: u64,
        limits: Limits,
    },
    /// Its processes have ended.
    Remove {
        id: u64,
    },
}

/// The answer to [`Order::Add`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Added {
    pub(crate) id: u64,
    /// Why there is no group.
    pub(crate) error: Option<String>,
}

/// Serves until the launcher is gone.
pub(crate) fn serve(launcher: &OwnedFd, parent: &Parent) -> io::Result<()> {
    let mut groups: HashMap<u64, Group> = HashMap::new();
    // Those whose processes are ending.
    let mut leaving: Vec<Group> = Vec::new();
    let mut waiting: VecDeque<Order> = VecDeque::new();
    let mut buffer = Vec::new();
    while let Some(order) = next(launcher, &mut waiting, &mut buffer)? {
        match order {
            Order::Add { id, pid, limits, urgent: _ } => {
                let added = add(parent, &mut groups, (id, pid), &limits);
                let error = added.err().map(|error| error.to_string());
                message::send(launcher, &Added { id, error }, &[])?;
            }
            Order::Limit { id, limits } => {
                if let Some(Err(error)) = groups.get(&id).map(|group| group.limit(&limits)) {
                    crate::launcher::complain(&format!("not limited: {error}"));
                }
            }
            Order::Remove { id } => leaving.extend(groups.remove(&id)),
        }
        leaving.retain_mut(|group| !group.remove());
    }
    leaving.extend(groups.into_values());
    for _ in 0..LOOKS_MAX {
        leaving.retain_mut(|group| !group.remove());
        if leaving.is_empty() {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    parent.remove();
    Ok(())
}

/// The next order: one that somebody waits for, before those that nobody does. What has ended
/// before its turn has none.
fn next(
    launcher: &OwnedFd,
    waiting: &mut VecDeque<Order>,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Order>> {
    while waiting.is_empty() || is_readable(launcher)? {
        match message::receive::<Order>(launcher, buffer)? {
            Some((Order::Remove { id }, _)) => {
                let before = waiting.len();
                waiting.retain(|order| !matches!(order, Order::Add { id: of, .. } if *of == id));
                if waiting.len() == before {
                    waiting.push_back(Order::Remove { id });
                }
            }
            Some((order, _)) => waiting.push_back(order),
            None => return Ok(None),
        }
    }
    let urgent = |order: &Order| matches!(order, Order::Add { urgent: true, .. });
    let at = waiting.iter().position(urgent).unwrap_or(0);
    Ok(waiting.remove(at))
}

fn is_readable(launcher: &OwnedFd) -> io::Result<bool> {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut asked = [PollFd::new(launcher, PollFlags::IN)];
    Ok(rustix::event::poll(&mut asked, Some(&now))? > 0)
}

/// Makes a group and puts a process into it, with what it has started meanwhile.
fn add(
    parent: &Parent,
    groups: &mut HashMap<u64, Group>,
    (id, pid): (u64, i32),
    limits: &Limits,
) -> io::Result<()> {
    let added = parent.make(id, limits).and_then(|group| {
        let added = group.add(pid);
        groups.insert(id, group);
        added
    });
    match &added {
        Ok(()) => crate::processes::descendants(pid).into_iter().for_each(|pid| {
            let _ended = groups.get(&id).map(|group| group.add(pid));
        }),
        // Those who end at once are many.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
        Err(error) => crate::launcher::complain(&format!("no cgroup: {error}")),
    }
    added
}
