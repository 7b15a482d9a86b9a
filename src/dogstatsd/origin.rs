//! Origin detection on Linux: which container this process is in, by what the kernel says of it.
//!
//! As the official clients have it: the container's identity from `/proc/self/cgroup`, or else from the
//! mounts of `/proc/self/mountinfo`; or else, in a cgroup namespace of its own, the inode of the
//! process's cgroup, by which the Datadog Agent finds the container.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What the field `|c:` says, from version 1.4 of the protocol on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `ci-` and the container's identity.
    Container(String),
    /// `in-` and the inode of its cgroup.
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

/// The inode of the host's cgroup namespace, a constant of the kernel's (`PROC_CGROUP_INIT_INO`).
const HOST_NAMESPACE: u64 = 0xEFFF_FFFB;

impl Origin {
    /// Looks at this process. None outside containers, and where there is no `/proc`.
    pub(crate) fn detect() -> Option<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let is_host = inode(Path::new("/proc/self/ns/cgroup")) == Some(HOST_NAMESPACE);
        let (cgroup, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        Self::find(&cgroup, &mounts, is_host, |path| inode(&Path::new("/sys/fs/cgroup").join(path)))
    }

    /// The same by what these files hold. `inode_of` is asked for paths below the mount of the cgroups.
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
        // In the host's namespace the first file says it all: this process is in no container.
        if is_host {
            return None;
        }
        cgroup_nodes(cgroup).iter().find_map(|node| inode_of(node)).map(Self::Inode)
    }
}

/// The first line of `/proc/self/cgroup` whose path ends in a container's identity.
fn container_of_cgroup(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| {
        let (hierarchy, rest) = line.split_once(':')?;
        let (_controllers, path) = rest.split_once(':')?;
        is_digits(hierarchy).then(|| identity_at_end(path))?
    })
}

/// The mount of a container's `hostname` file, by the path that it has on the host:
/// `/var/lib/docker/containers/{identity}/hostname`. In a `sandboxes` directory it is that of a pod's
/// pause container.
fn container_of_mounts(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let (parent, identity) = line.split_whitespace().rev().find_map(identity_within)?;
        (parent != "sandboxes").then_some(identity)
    })
}

/// The last directory of a path that is an identity, somewhere above a `hostname`, and its parent.
fn identity_within(path: &str) -> Option<(&str, &str)> {
    let end = path.rfind("hostname")?;
    let directories: Vec<&str> = path[..end].split('/').collect();
    // The first is what comes before the first slash, the last may be a part of a name.
    let pairs = directories.get(1..directories.len() - 1)?.windows(2).rev();
    let mut pairs = pairs.map(|pair| (pair[0], pair[1]));
    pairs.find(|(parent, it)| !parent.is_empty() && (is_container(it) || is_task(it)))
}

/// The paths of the process's cgroup below `/sys/fs/cgroup`: of version 1 that of the controller
/// `memory`, and then that of version 2.
fn cgroup_nodes(cgroup: &str) -> Vec<PathBuf> {
    let node = |wanted| {
        let mut paths = cgroup.lines().filter_map(|line| {
            let [_, controllers, path] = line.split(':').collect::<Vec<_>>()[..] else {
                return None;
            };
            (controllers == wanted).then_some(path)
        });
        // Of several, the last.
        Some(Path::new(wanted).join(paths.next_back()?.trim_start_matches('/')))
    };
    [node("memory"), node("")].into_iter().flatten().collect()
}

/// What a path ends in, `.scope` aside, if that is an identity: 64 hexadecimal digits (Docker, containerd,
/// CRI-O), a task of ECS (32, and a number), or a UUID (Garden).
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

/// Whose parts may be separated by `_` too.
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
