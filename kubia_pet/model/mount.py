"""What kind of storage a directory lies on, as Linux's mountinfo says (proc_pid_mountinfo(5))."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_MEMORY = {"tmpfs", "ramfs", "hugetlbfs"}
# A kubelet's directory for what goes when its pod goes, in the root of a bind mount.
_OF_THE_POD = "/volumes/kubernetes.io~empty-dir/"


@dataclass(frozen=True)
class Mount:
    """Where a directory's bytes are: `kind` is volume, container, memory or unknown.

    `container` is what goes when the container or its pod goes: its own disk, or an emptyDir.
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
        elif point == "/" or _OF_THE_POD in root:
            kind = "container"
        yield point, Mount(kind, rest[0], _plain(rest[1]), point, "ro" in options.split(","), root)


def _plain(field: str) -> str:
    """A field without its octal escapes of blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
