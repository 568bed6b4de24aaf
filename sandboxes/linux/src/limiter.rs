//! The process that puts others into cgroups.
//!
//! To move a process from one group to another the kernel waits until all processors have noticed,
//! which takes longer than any cold start. So a process of its own does it, beside the launcher.
//!

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use host::Limits;
use serde::{Deserialize, Serialize};

use crate::cgroup::{Group, Parent};
use crate::message;

/// What the launcher wants.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Make a group and put this process, and so what it starts, into it. Answered by the number
    /// where the process waits for it.
    Add {
        id: u64,
        pid: i32,
        limits: Limits,
        answer: bool,
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

/// Serves until the launcher is gone.
pub(crate) fn serve(launcher: &OwnedFd, parent: &Parent) -> io::Result<()> {
    let mut groups: HashMap<u64, Group> = HashMap::new();
    let mut buffer = Vec::new();
    while let Some((order, _)) = message::receive::<Order>(launcher, &mut buffer)? {
        match order {
            Order::Add { id, pid, limits, answer } => {
                let added = parent.make(id, &limits).and_then(|group| {
                    group.add(pid)?;
                    // What it has started meanwhile is still where it was.
                    crate::freeze::descendants(pid).into_iter().for_each(|pid| {
                        let _ended = group.add(pid);
                    });
                    Ok(group)
                });
                match added {
                    Ok(group) => {
                        groups.insert(id, group);
                    }
                    // Those who end at once are many.
                    Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                    Err(error) => crate::launcher::complain(&format!("no cgroup: {error}")),
                }
                if answer {
                    message::send(launcher, &id, &[])?;
                }
            }
            Order::Limit { id, limits } => {
                if let Some(Err(error)) = groups.get(&id).map(|group| group.limit(&limits)) {
                    crate::launcher::complain(&format!("not limited: {error}"));
                }
            }
            Order::Remove { id } => {
                groups.remove(&id);
            }
        }
    }
    groups.clear();
    parent.remove();
    Ok(())
}
