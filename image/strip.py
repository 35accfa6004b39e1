"""`python strip.py DIRECTORY`: cuts off from each shared library what no process ever loads.

Wheels come with debugging information, four fifths of all their bytes. What a process loads are the segments
of the program header (ELF-64, gABI 4.1, chapters 4 and 5); behind the last of them are sections that only
debuggers and linkers read. The base image has no strip(1).
"""

import struct
import sys
from pathlib import Path

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")


def stripped(library: bytes) -> bytes:
    """The bytes up to its last segment's end, without section headers. Raises ValueError for other files."""
    identity, *rest = HEADER.unpack_from(library)
    if identity[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no little-endian ELF-64 file")
    kind, machine, version, entry, segments_at, _, flags, size, segment_size, count, section_size, _, _ = rest
    segments = [SEGMENT.unpack_from(library, segments_at + number * segment_size) for number in range(count)]
    end = max(offset + length for _, _, offset, _, _, length, _, _ in segments)
    header = HEADER.pack(
        identity,
        kind,
        machine,
        version,
        entry,
        segments_at,
        0,
        flags,
        size,
        segment_size,
        count,
        section_size,
        0,
        0,
    )
    return header + library[HEADER.size : end]


if __name__ == "__main__":
    for path in Path(sys.argv[1]).rglob("*.so*"):
        path.write_bytes(stripped(path.read_bytes()))
