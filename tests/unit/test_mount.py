"""What mountinfo says of a data directory, by lines as each runtime and kubelet leaves them."""

import pytest

from kubia_pet.model.mount import Mount, mount_of

ID, UID = "0f" * 32, "3d3f3e4a-5a0c-4f7e-9c51-0d9f2b1c7a11"
POD = f"/var/lib/kubelet/pods/{UID}/volumes"
ROOT = "512 489 0:80 / / rw,relatime - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/u,workdir=/w"


def at_data(root: str, kind: str = "ext4 /dev/vda1", point: str = "/var/data") -> Mount:
    return mount_of("/var/data", f"{ROOT}\n530 512 254:1 {root} {point} rw,relatime - {kind} rw\n")


def test_without_a_mount_of_its_own_it_is_the_containers_own_disk() -> None:
    assert mount_of("/var/data", ROOT) == Mount("container", "overlay", "overlay", "/", False, "/")  # noqa: FBT003
    assert mount_of("/var/data", "").kind == "unknown"
    assert at_data("/other", point="/var/data-of-others").kind == "container"


@pytest.mark.parametrize(
    "root",
    [
        f"/var/lib/containerd/io.containerd.grpc.v1.cri/containers/{ID}/volumes/{ID}",
        f"/var/lib/rancher/k3s/agent/containerd/io.containerd.grpc.v1.cri/containers/{ID}/volumes/{ID}",
        f"/io.containerd.grpc.v1.cri/containers/{ID}/volumes/{ID}",  # where that is a disk of its own
        f"{POD}/kubernetes.io~empty-dir/data",
    ],
)
def test_what_containerd_gives_an_image_for_a_volume_and_an_empty_dir_go_with_the_container_or_its_pod(
    root: str,
) -> None:
    assert at_data(root).kind == "container"


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("/", "ext4 /dev/sdb"),
        ("/", "nfs4 10.0.0.5:/export/kubia-0"),
        ("/", "ceph 10.0.0.5:6789:/volumes/csi/csi-vol-1"),
        (f"{POD}/kubernetes.io~csi/pvc-{UID}/mount", "xfs /dev/sdb"),
        (f"/var/local-path-provisioner/pvc-{UID}_default_data-kubia-0", "ext4 /dev/vda1"),
        ("/srv/containers/volumes/data", "ext4 /dev/vda1"),
        (f"/var/lib/docker/volumes/{ID}/_data", "ext4 /dev/vda1"),
    ],
)
def test_a_volume_is_one_whatever_its_driver(root: str, kind: str) -> None:
    assert at_data(root, kind).kind == "volume"


def test_memory_is_no_volume() -> None:
    assert at_data("/", "tmpfs tmpfs").kind == "memory"


def test_of_two_mounts_at_one_point_the_later_hides_the_other_and_escapes_are_read() -> None:
    lines = (
        f"{ROOT}\n530 512 254:1 / /var/data rw - ext4 /dev/vda1 rw\n"
        "531 530 254:1 /a\\040b /var/data ro - xfs /dev/vdb rw\n"
    )
    mount = mount_of("/var/data", lines)
    assert (mount.root, mount.type, mount.read_only) == ("/a b", "xfs", True)
