"""What kind of storage a directory lies on, as Linux's mountinfo says (proc_pid_mountinfo(5))."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_MEMORY = {"tmpfs", "ramfs", "hugetlbfs"}
# The root of a bind mount of what goes: a kubelet's directory of a pod's emptyDir, and containerd's of what
# an image's VOLUME asks for, which goes with the container (its pkg/cri: containers/<id>/volumes/<id>).
_PASSING = re.compile(r"/volumes/kubernetes\.io~empty-dir/|/containers/[0-9a-f]{64}/volumes/[0-9a-f]+$")


@dataclass(frozen=True)
class Mount:
    """Where a directory's bytes are: `kind` is volume, container, memory or unknown.

    `container` is what goes when the container or its pod goes: its own disk, an emptyDir, or the directory
    that containerd makes for an image's VOLUME. What other runtimes make for that is not recognised.
    """

    kind: str = "unknown"
    type: str | None = None
    source: str | None = None
    point: str | None = None
    read_only: bool | None = None
    root: str | None = None  # the directory of its file system that is mounted; / is all of it


def mount_of(path: str, table: str) -> Mount:
    """The mount of a table like /proc/self/mountinfo that holds the absolute `path`."""
    best: tuple[int, Mount] = (0, Mount())
    for point, mount in _mounts(table):
        # Of two at one point the later one hides the other.
        if PurePosixPath(path).is_relative_to(point) and len(point) >= best[0]:
            best = len(point), mount
    return best[1]


def _mounts(table: str) -> Iterator[tuple[str, Mount]]:
    for line in table.splitlines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 2:  # noqa: PLR2004 - the fields that a line has
            continue
        root, point, options = _plain(fields[3]), _plain(fields[4]), fields[5]
        kind = "volume"
        if rest[0] in _MEMORY:
            kind = "memory"
        elif point == "/" or _PASSING.search(root):
            kind = "container"
        yield point, Mount(kind, rest[0], _plain(rest[1]), point, "ro" in options.split(","), root)


def _plain(field: str) -> str:
    """A field without its octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
