//! Origin detection on Linux: finds the container of this process in files of the kernel.
//!
//! The sources are tried in the same order as in the official clients:
//!
//! 1. The container's identity in `/proc/self/cgroup`.
//! 2. The container's identity in the mounts of `/proc/self/mountinfo`.
//! 3. The inode of the process's cgroup, by which the Datadog Agent finds the container. Used only
//!    if the process is not in the host's cgroup namespace.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Origin of lines: the content of the field `|c:` since version 1.4 of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Identity of the container, sent as `ci-...`.
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

/// Inode of the host's cgroup namespace: a constant of the kernel (`PROC_CGROUP_INIT_INO`).
const HOST_NAMESPACE: u64 = 0xEFFF_FFFB;

impl Origin {
    /// Detects the origin of this process. Returns `None` outside containers, and without `/proc`.
    pub(crate) fn detect() -> Option<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let is_host = inode(Path::new("/proc/self/ns/cgroup")) == Some(HOST_NAMESPACE);
        let (cgroup, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        Self::find(&cgroup, &mounts, is_host, |path| inode(&Path::new("/sys/fs/cgroup").join(path)))
    }

    /// Finds the origin in the content of the two files. `inode_of` returns the inode of a path
    /// relative to the mount of the cgroups.
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

/// Returns the container's identity at the end of the first path in `/proc/self/cgroup` that has one.
fn container_of_cgroup(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| {
        let (hierarchy, rest) = line.split_once(':')?;
        let (_controllers, path) = rest.split_once(':')?;
        is_digits(hierarchy).then(|| identity_at_end(path))?
    })
}

/// Returns the container's identity in the mount of its `hostname` file.
///
/// The path on the host is `/var/lib/docker/containers/{identity}/hostname`, for example. A path in a
/// `sandboxes` directory belongs to the pause container of a pod, and is skipped.
fn container_of_mounts(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let (parent, identity) = line.split_whitespace().rev().find_map(identity_within)?;
        (parent != "sandboxes").then_some(identity)
    })
}

/// Returns the last directory above a `hostname` file whose name is an identity, as the pair of its
/// parent and this name.
fn identity_within(path: &str) -> Option<(&str, &str)> {
    let end = path.rfind("hostname")?;
    let directories: Vec<&str> = path[..end].split('/').collect();
    // The first item is before the first slash. The last item may be only a part of a name.
    let pairs = directories.get(1..directories.len() - 1)?.windows(2).rev();
    let mut pairs = pairs.map(|pair| (pair[0], pair[1]));
    pairs.find(|(parent, name)| !parent.is_empty() && (is_container(name) || is_task(name)))
}

/// Returns the paths of the process's cgroup below `/sys/fs/cgroup`: the path of the controller
/// `memory` (cgroup version 1), followed by the path in the unified hierarchy (version 2).
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

/// Returns the identity at the end of a path, before an optional `.scope`: 64 hexadecimal digits
/// (Docker, containerd, CRI-O), a task of ECS (32 digits and a number), or a UUID (Garden).
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
