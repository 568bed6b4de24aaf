//! Which files a process may touch, by rules it gives itself and can never take back. Behind
//! namespaces it is the second wall; where there are none, the first.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

/// What is asked for; an older kernel gives less of it.
const WANTED: ABI = ABI::V6;

/// The version of the kernel's Landlock; 0 where there is none.
pub(crate) fn version() -> i64 {
    // SAFETY: with this flag the call asks for a number and takes nothing.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, 1) }.max(0)
}

/// Restricts the calling process to reading and executing `read`, and to writing `write` too.
/// Signals and abstract sockets do not leave it.
pub(crate) fn restrict(read: &[PathBuf], write: &[&Path]) -> io::Result<()> {
    let apply = || -> Result<RestrictionStatus, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?;
        let beneath = |paths: &mut dyn Iterator<Item = &Path>, access| {
            let there = paths.filter_map(|path| PathFd::new(path).ok());
            there.map(|fd| PathBeneath::new(fd, access)).collect::<Vec<_>>()
        };
        let reading = beneath(&mut read.iter().map(PathBuf::as_path), AccessFs::from_read(WANTED));
        let writing = beneath(&mut write.iter().copied(), AccessFs::from_all(WANTED));
        for rule in reading.into_iter().chain(writing) {
            rules = rules.add_rule(rule)?;
        }
        rules.restrict_self()
    };
    let status = apply().map_err(io::Error::other)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(io::Error::other("the kernel has no Landlock"));
    }
    Ok(())
}
