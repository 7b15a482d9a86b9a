//! Tests of container detection, with contents of `/proc` files as various container runtimes
//! create them.

use super::*;

const CONTAINER: &str = "8c046cb0b72cd4c99f51b5591cd5b095967f58ee003710a45280c28ee1a9c7fa";
const POD: &str = "3d274242-8ee0-11e9-a8a6-1e68d864ef1a";
const TASK: &str = "34dc0b5e626f2c5c4c5170e34b10e765-1234567890";

/// Returns the container identifier in `lines`, the content of a `/proc/self/cgroup` file. `{C}`
/// stands for the sample identifier [`CONTAINER`] in the content and in the result.
fn in_cgroup(lines: &str) -> Option<String> {
    let file = lines.replace("{C}", CONTAINER);
    container_of_cgroup(&file).map(|identity| identity.replace(CONTAINER, "{C}"))
}

/// Returns the container identifier in `lines`, the content of a `/proc/self/mountinfo` file. `{C}`
/// stands for the sample identifier [`CONTAINER`] in the content and in the result.
fn in_mounts(lines: &str) -> Option<String> {
    let file = lines.replace("{C}", CONTAINER);
    container_of_mounts(&file).map(|identity| identity.replace(CONTAINER, "{C}"))
}

#[test]
fn cgroup_files_of_runtimes_name_the_container() {
    for (runtime, file, identity) in [
        ("Docker, version 1", "13:name=systemd:/docker/{C}\n12:pids:/docker/{C}\n", "{C}"),
        ("Docker, systemd", "0::/system.slice/docker-{C}.scope\n", "{C}"),
        (
            "Docker in Docker",
            "4:memory:/docker/0000000000000000000000000000000000000000000000000000000000000000/docker/{C}\n",
            "{C}",
        ),
        (
            "Kubernetes, cgroupfs",
            "11:perf_event:/kubepods/burstable/podfd52ef25-a87d-11e9-9423-0800271a638e/{C}\n",
            "{C}",
        ),
        (
            "Kubernetes, systemd and containerd",
            "1:name=systemd:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2d3da189_6407_48e3_9ab6_78188d75e609.slice/cri-containerd-{C}.scope\n",
            "{C}",
        ),
        (
            "Kubernetes, CRI-O",
            "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0.slice/crio-{C}.scope\n",
            "{C}",
        ),
        (
            "containerd's own names",
            "2:cpu,cpuacct:/system.slice/containerd.service/kubepods-pod7:cri-containerd:{C}\n",
            "{C}",
        ),
        ("Podman", "0::/machine.slice/libpod-{C}.scope\n", "{C}"),
        (
            "ECS",
            "9:perf_event:/ecs/haissam-ecs-classic/5a0d5ceddf6c44c1928d367a815d890f/{C}\n",
            "{C}",
        ),
        ("Fargate before 1.4", "11:hugetlb:/ecs/55091c13-b8cf-4801-b527-f4601742204d/{C}\n", "{C}"),
        (
            "Fargate 1.4",
            &format!("11:hugetlb:/ecs/34dc0b5e626f2c5c4c5170e34b10e765/{TASK}\n"),
            TASK,
        ),
        ("Garden", &format!("1:name=systemd:/garden/{POD}\n"), POD),
        (
            "the slice of a pod",
            "1:x:/kubepods-pod2d3da189_6407_48e3_9ab6_78188d75e609\n",
            "2d3da189_6407_48e3_9ab6_78188d75e609",
        ),
        (
            "after other lines",
            "other\n1:x\n1:name=systemd:/nope\n2:pids:/docker/{C}\n3:cpu:/no",
            "{C}",
        ),
    ] {
        assert_eq!(in_cgroup(file).as_deref(), Some(identity), "{runtime}");
    }
}

#[test]
fn other_cgroup_files_name_no_container() {
    for (case, file) in [
        ("no file", ""),
        ("a namespace of its own", "0::/\n"),
        ("a user's session", "0::/user.slice/user-1000.slice/session-2.scope\n"),
        ("a service", "1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n"),
        ("a pod", "10:hugetlb:/kubepods\n"),
        ("a directory below the identity", "1:x:/docker/{C}/more\n"),
        (
            "capitals",
            "1:x:/docker/8C046CB0B72CD4C99F51B5591CD5B095967F58EE003710A45280C28EE1A9C7FA\n",
        ),
        (
            "too few digits",
            "1:x:/docker/c046cb0b72cd4c99f51b5591cd5b095967f58ee003710a45280c28ee1a9c7fa\n",
        ),
        ("no number of a hierarchy", "x:x:/docker/{C}\n"),
        ("a number and no task", "1:x:/ecs/dc0b5e626f2c5c4c5170e34b10e765-12\n"),
        ("a task and no number", "1:x:/ecs/34dc0b5e626f2c5c4c5170e34b10e765-\n"),
        ("characters of several bytes", "1:x:/é\n1:x:/ééééééééééééééééééééééééééééééééééé\n"),
    ] {
        assert_eq!(in_cgroup(file), None, "{case}");
    }
}

#[test]
fn mounts_of_runtimes_name_the_container() {
    for (runtime, file, identity) in [
        (
            "Docker, version 2",
            "608 554 0:42 / / rw,relatime master:289 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/RQ,upperdir=/var/lib/docker/overlay2/241a77e9a6a048e54d5b5700afaeab6071cb5ffef1fd2acbebbf19935a429897/diff\n\
             626 608 259:1 /var/lib/docker/containers/{C}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/root rw,discard\n\
             627 608 259:1 /var/lib/docker/containers/{C}/hostname /etc/hostname rw,relatime - ext4 /dev/root rw,discard\n",
            Some("{C}"),
        ),
        (
            "ECS",
            &format!(
                "1 2 0:1 /var/lib/ecs/tasks/{TASK}/hostname /etc/hostname rw - ext4 /dev/a rw\n"
            ),
            Some(TASK),
        ),
        (
            "the Agent's own, under the host's root",
            "2282 2269 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/c0a82a3506b0366c9666f6dbe71c783abeb26ba65e312e918a49e10a277196d0/hostname /host/var/run/containerd/io.containerd.runtime.v2.task/k8s.io/{C}/rootfs/etc/hostname rw,nosuid,nodev,relatime - ext4 /dev/sda1 rw\n",
            Some("{C}"),
        ),
        (
            "a pod's pause container",
            "2784 2775 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{C}/hostname /etc/hostname rw,nosuid,nodev,relatime - ext4 /dev/sda1 rw,commit=30\n",
            None,
        ),
        (
            "the same within a volume",
            "1258 1249 254:1 /docker/volumes/0919c2d87ec8ba99f3c85fdada5fe26eca73b2fce73a5974d6030f30bf91cbaf/_data/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{C}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw,discard\n",
            None,
        ),
        (
            "a pause container first",
            "1 2 8:1 /cri/sandboxes/c0a82a3506b0366c9666f6dbe71c783abeb26ba65e312e918a49e10a277196d0/hostname /etc/hostname rw\n\
             1 2 8:1 /var/lib/containers/{C}/userdata/hostname /etc/hostname rw\n",
            Some("{C}"),
        ),
        ("no file", "", None),
        ("no hostname", "1 2 8:1 /var/lib/docker/containers/{C}/hosts /etc/hosts rw\n", None),
        ("without a directory above", "1 2 8:1 /{C}/hostname /etc/hostname rw\n", None),
        ("a part of a name", "1 2 8:1 /var/lib/docker/x{C}/hostname /etc/hostname rw\n", None),
        ("a hostname elsewhere", "1 2 8:1 /var/lib/docker/{C}/hosts /etc/hostname rw\n", None),
    ] {
        assert_eq!(in_mounts(file).as_deref(), identity, "{runtime}");
    }
}

#[test]
fn cgroup_paths_of_both_versions_are_found() {
    let nodes = |file| {
        let nodes = cgroup_nodes(file);
        nodes.iter().map(|node| node.to_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(nodes("0::/\n"), [""]);
    assert_eq!(nodes("0::/system.slice/a.scope\n"), ["system.slice/a.scope"]);
    assert_eq!(nodes("other\n0::/\n1:memory:/docker/abc123\n"), ["memory/docker/abc123", ""]);
    assert_eq!(nodes("12:pids:/docker/abc123\n10:net_cls,net_prio:/a\n"), [""; 0]);
    assert_eq!(nodes("0::/a:b\n"), [""; 0]);
    assert_eq!(nodes("empty"), [""; 0]);
}

#[test]
fn sources_of_the_origin_are_tried_in_order() {
    let cgroup = format!("0::/system.slice/docker-{CONTAINER}.scope\n");
    let mounts = "1 2 8:1 /a/0cfa82bf3ab29da271548d6a044e95c948c6fd2f7578fb41833a44ca23da425f/hostname /etc/hostname rw\n";
    let inode_of = |path: &Path| (path == Path::new("a")).then_some(42);
    let find = |cgroup: &str, mounts, is_host| {
        Origin::find(cgroup, mounts, is_host, inode_of).map(|origin| origin.to_string())
    };
    assert_eq!(find(&cgroup, mounts, true), Some(format!("ci-{CONTAINER}")));
    assert_eq!(
        find("0::/a\n", mounts, false).as_deref(),
        Some("ci-0cfa82bf3ab29da271548d6a044e95c948c6fd2f7578fb41833a44ca23da425f")
    );
    assert_eq!(find("0::/a\n", "", false).as_deref(), Some("in-42"));
    // Version 1 is tried first, then version 2.
    assert_eq!(find("3:memory:/gone\n0::/a\n", "", false).as_deref(), Some("in-42"));
    assert_eq!(find("0::/gone\n", "", false), None);
    // Outside containers, in the host's namespace: the inode would stand for all of the host's metrics.
    assert_eq!(find("0::/a\n", "", true), None);
}

/// Runs the container detection on the host of the test. The detection must not panic, and an
/// origin that it finds must be valid text for the field `|c:`.
#[test]
fn the_origin_of_this_process_is_a_valid_field() {
    if let Some(origin) = Origin::detect() {
        let text = origin.to_string();
        assert!(text.starts_with("ci-") || text.starts_with("in-"), "{text}");
        assert!(!text.contains(['|', ':', ',']), "{text}");
    }
}
