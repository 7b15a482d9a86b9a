//! Origin detection on Linux: finds the container in which this process runs, from files in `/proc`
//! and `/sys/fs/cgroup`.
//!
//! The sources are tried in the same order as in the official clients:
//!
//! 1. The container's identifier in `/proc/self/cgroup`.
//! 2. The container's identifier in the mounts of `/proc/self/mountinfo`.
//! 3. The inode of the process's cgroup, by which the Datadog Agent finds the container. Used only
//!    if the process is not in the host's cgroup namespace.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Container from which lines come, in the form that the field `|c:` has since version 1.4 of the
/// DogStatsD protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Identifier of the container, sent as `ci-...`.
    Container(String),
    /// Inode of the container's cgroup, sent as `in-...`.
    Inode(u64),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(identity) => write!(f, "ci-{identity}"),
            Self::Inode(inode) => write!(f, "in-{inode}"),
        }
    }
}

/// Inode of the host's cgroup namespace, which the kernel defines as `PROC_CGROUP_INIT_INO`.
/// Detection sends no inode for a process in this namespace.
const HOST_NAMESPACE: u64 = 0xEFFF_FFFB;

impl Origin {
    /// Detects the container in which this process runs. Returns `None` if no container is found,
    /// for example without `/proc`.
    pub(crate) fn detect() -> Option<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let is_host = inode(Path::new("/proc/self/ns/cgroup")) == Some(HOST_NAMESPACE);
        let (cgroup, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        Self::find(&cgroup, &mounts, is_host, |path| inode(&Path::new("/sys/fs/cgroup").join(path)))
    }

    /// Finds the container in the contents of `/proc/self/cgroup` and `/proc/self/mountinfo`.
    /// `inode_of` returns the inode of a path relative to `/sys/fs/cgroup`.
    fn find(
        cgroup: &str,
        mounts: &str,
        is_host: bool,
        inode_of: impl Fn(&Path) -> Option<u64>,
    ) -> Option<Self> {
        let container = container_of_cgroup(cgroup).or_else(|| container_of_mounts(mounts));
        if let Some(identity) = container {
            return Some(Self::Container(identity.to_owned()));
        }
        // In the host's namespace the first file is complete: this process is not in a container.
        if is_host {
            return None;
        }
        cgroup_nodes(cgroup).iter().find_map(|node| inode_of(node)).map(Self::Inode)
    }
}

/// Returns the container identifier in the content of `/proc/self/cgroup`, from the first path that
/// ends with an identifier.
fn container_of_cgroup(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| {
        let (hierarchy, rest) = line.split_once(':')?;
        let (_controllers, path) = rest.split_once(':')?;
        is_digits(hierarchy).then(|| identity_at_end(path))?
    })
}

/// Returns the container identifier in the content of `/proc/self/mountinfo`. The container's
/// `hostname` file is mounted from a host directory that has the identifier as its name.
///
/// The path on the host is `/var/lib/docker/containers/{identity}/hostname`, for example. A path in a
/// `sandboxes` directory belongs to the pause container of a pod, and is skipped.
fn container_of_mounts(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let (parent, identity) = line.split_whitespace().rev().find_map(identity_within)?;
        (parent != "sandboxes").then_some(identity)
    })
}

/// Finds, in the path of a `hostname` file, the last directory with a container identifier as its
/// name. Returns the name of the parent directory, and the identifier.
fn identity_within(path: &str) -> Option<(&str, &str)> {
    let end = path.rfind("hostname")?;
    let directories: Vec<&str> = path[..end].split('/').collect();
    // The first item is before the first slash. The last item may be only a part of a name.
    let pairs = directories.get(1..directories.len() - 1)?.windows(2).rev();
    let mut pairs = pairs.map(|pair| (pair[0], pair[1]));
    pairs.find(|(parent, name)| !parent.is_empty() && (is_container(name) || is_task(name)))
}

/// Parses the content of `/proc/self/cgroup` and returns the paths of the process's cgroup relative
/// to `/sys/fs/cgroup`. The path of the controller `memory` (cgroup version 1) precedes the path in
/// the unified hierarchy (version 2).
fn cgroup_nodes(cgroup: &str) -> Vec<PathBuf> {
    let node = |wanted| {
        let mut paths = cgroup.lines().filter_map(|line| {
            let [_, controllers, path] = line.split(':').collect::<Vec<_>>()[..] else {
                return None;
            };
            (controllers == wanted).then_some(path)
        });
        // If there are several, the last one is used.
        Some(Path::new(wanted).join(paths.next_back()?.trim_start_matches('/')))
    };
    [node("memory"), node("")].into_iter().flatten().collect()
}

/// Returns the container identifier at the end of a path, before an optional `.scope`: 64
/// hexadecimal digits (Docker, containerd, CRI-O), an ECS task (32 hexadecimal digits, `-` and a
/// number), or a UUID (Garden).
fn identity_at_end(path: &str) -> Option<&str> {
    let path = path.strip_suffix(".scope").unwrap_or(path);
    let last = |len: usize| path.get(path.len().checked_sub(len)?..);
    let task = || {
        let digits = path.len() - path.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        last(TASK_DIGITS + "-".len() + digits).filter(|end| is_task(end))
    };
    last(64)
        .filter(|end| is_container(end))
        .or_else(|| last(36).filter(|end| is_uuid(end)))
        .or_else(task)
}

const TASK_DIGITS: usize = 32;

fn is_container(text: &str) -> bool {
    text.len() == 64 && is_hexadecimal(text)
}

fn is_task(text: &str) -> bool {
    text.split_once('-').is_some_and(|(task, number)| {
        task.len() == TASK_DIGITS && is_hexadecimal(task) && is_digits(number)
    })
}

/// Returns true for a UUID. Its parts may be separated by `_` instead of `-`.
fn is_uuid(text: &str) -> bool {
    let parts = text.split(['-', '_']);
    parts.clone().map(str::len).eq([8, 4, 4, 4, 12]) && parts.clone().all(is_hexadecimal)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(target_os = "linux")]
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

#[cfg(not(target_os = "linux"))]
fn inode(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
