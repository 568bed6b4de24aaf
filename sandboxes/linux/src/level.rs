//! How much of the sandbox this machine allows, found out once by trying.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the kernel and its configuration let us have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// User, mount, process, network, IPC and host name namespaces; if not, why.
    pub namespaces: Result<(), String>,
    /// The version of Landlock, 0 for none.
    pub landlock: i64,
    /// The version of cgroups we can limit with.
    pub cgroups: Option<u8>,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespaces {
            Ok(()) => write!(f, "namespaces")?,
            Err(why) => write!(f, "no namespaces ({why})")?,
        }
        write!(f, ", seccomp, rlimits")?;
        match self.landlock {
            0 => write!(f, ", no Landlock")?,
            version => write!(f, ", Landlock {version}")?,
        }
        match self.cgroups {
            Some(version) => write!(f, ", cgroups {version}")?,
            None => write!(f, ", no cgroups: memory is limited per process only")?,
        }
        if !fork::AVAILABLE {
            write!(f, ", no templates: booted workers serve")?;
        }
        Ok(())
    }
}
