//! What a slot may use of the machine's memory, processors and process numbers, by cgroups of
//! version 1 or 2, whichever the machine has and lets us write to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use host::Limits;

const MOUNT: &str = "/sys/fs/cgroup";
/// Controllers of version 1 that are used.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// What 1,769 MB of memory stand for: one processor, as on Lambda.
const MB_PER_PROCESSOR: u64 = 1_769;
/// The share that is one processor's, in the units of version 1.
const SHARES_PER_PROCESSOR: u64 = 1_024;
/// The kernel keeps memory for a process besides what the function sees: page tables, pipes,
/// stacks in the kernel.
const KERNEL_BYTES: u64 = 16 << 20;

/// Where our groups are made: one folder (version 2), or one per controller (version 1).
#[derive(Debug, Clone)]
pub(crate) enum Parent {
    V2(PathBuf),
    V1(Vec<(&'static str, PathBuf)>),
}

/// A group of one slot, or of a sandbox. It is removed when nothing is left in it.
#[derive(Debug)]
pub(crate) struct Group(Vec<(&'static str, PathBuf)>);

impl Parent {
    /// Finds where this process may make groups, and makes the one all of ours are in. `None`
    /// where there is no such place.
    pub(crate) fn find(name: &str) -> Option<Parent> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let version2 = Path::new(MOUNT).join("cgroup.controllers").exists();
        if version2 { Parent::find_v2(&own, name) } else { Parent::find_v1(&own, name) }
    }

    fn find_v2(own: &str, name: &str) -> Option<Parent> {
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let own = Path::new(MOUNT).join(own);
        // A group with processes cannot give controllers to groups below it, the root's excepted.
        // We move out of the way, if we are alone: as where a supervisor delegated the group.
        let enable = || fs::write(own.join("cgroup.subtree_control"), "+memory +pids +cpu");
        if enable().is_err() {
            let leaf = own.join("server");
            fs::create_dir_all(&leaf).ok()?;
            for pid in fs::read_to_string(own.join("cgroup.procs")).ok()?.lines() {
                fs::write(leaf.join("cgroup.procs"), pid).ok()?;
            }
            enable().ok()?;
        }
        let ours = own.join(name);
        fs::create_dir_all(&ours).ok()?;
        fs::write(ours.join("cgroup.subtree_control"), "+memory +pids +cpu").ok()?;
        Some(Parent::V2(ours))
    }

    fn find_v1(own: &str, name: &str) -> Option<Parent> {
        let mut found = Vec::new();
        for controller in CONTROLLERS {
            let has = |line: &&str| {
                line.split(':').nth(1).is_some_and(|list| list.split(',').any(|c| c == controller))
            };
            let own = own.lines().find(has)?.splitn(3, ':').nth(2)?.trim_start_matches('/');
            let ours = Path::new(MOUNT).join(controller).join(own).join(name);
            fs::create_dir_all(&ours).ok()?;
            found.push((controller, ours));
        }
        Some(Parent::V1(found))
    }

    pub(crate) fn version(&self) -> u8 {
        match self {
            Parent::V2(_) => 2,
            Parent::V1(_) => 1,
        }
    }

    /// Makes a group.
    pub(crate) fn make(&self, id: u64, limits: &Limits) -> io::Result<Group> {
        let group = match self {
            Parent::V2(ours) => Group(vec![("", ours.join(id.to_string()))]),
            Parent::V1(all) => {
                Group(all.iter().map(|(c, ours)| (*c, ours.join(id.to_string()))).collect())
            }
        };
        for (_, folder) in &group.0 {
            fs::create_dir(folder)?;
        }
        group.limit(limits)?;
        Ok(group)
    }

    /// Removes what all groups were in.
    pub(crate) fn remove(&self) {
        let all = match self {
            Parent::V2(ours) => vec![ours],
            Parent::V1(all) => all.iter().map(|(_, ours)| ours).collect(),
        };
        for folder in all {
            let _in_use = fs::remove_dir(folder);
        }
    }
}

impl Group {
    /// Sets what its processes may use together.
    pub(crate) fn limit(&self, limits: &Limits) -> io::Result<()> {
        // What is in /tmp is memory, too, and cannot be told from it.
        let bytes = (limits.memory_bytes + limits.tmp_bytes + KERNEL_BYTES).to_string();
        let pids = limits.processes_max.to_string();
        let shares = (limits.memory_bytes >> 20) * SHARES_PER_PROCESSOR / MB_PER_PROCESSOR;
        let shares = shares.max(2);
        for (controller, folder) in &self.0 {
            let set = |file: &str, value: &str| fs::write(folder.join(file), value);
            match *controller {
                "memory" => set("memory.limit_in_bytes", &bytes)?,
                "pids" => set("pids.max", &pids)?,
                "cpu" => set("cpu.shares", &shares.to_string())?,
                _ => {
                    set("memory.max", &bytes)?;
                    let _no_swap_here = set("memory.swap.max", "0");
                    set("pids.max", &pids)?;
                    // 100 is what everybody has: as 1,024 shares are.
                    set("cpu.weight", &(shares * 100 / SHARES_PER_PROCESSOR).max(1).to_string())?;
                }
            }
        }
        Ok(())
    }

    /// Moves a process into the group; what it starts will be in it.
    pub(crate) fn add(&self, pid: i32) -> io::Result<()> {
        for (_, folder) in &self.0 {
            fs::write(folder.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Removes the group; whether it is gone. Its last process may not quite have ended.
    pub(crate) fn remove(&mut self) -> bool {
        self.0.retain(|(_, folder)| match fs::remove_dir(folder) {
            Ok(()) => false,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
        self.0.is_empty()
    }
}
