"""`python strip.py DIRECTORY`: cuts off from each shared library what no process ever loads.

Wheels come with debugging information, four fifths of all their bytes. What a process loads are the segments
of the program header (ELF-64, gABI 4.1, chapters 4 and 5); behind the last of them are sections that only
debuggers and linkers read. The base image has no strip(1).
"""

import struct
import sys
from pathlib import Path

SEGMENTS_AT, SECTIONS_AT, SEGMENT_SIZE, SECTION_COUNT = 32, 40, 54, 60  # places in the header
SEGMENT = struct.Struct("<IIQQQQQQ")


def stripped(library: bytes) -> bytes:
    """The bytes up to its last segment's end, without section headers. Raises ValueError for other files."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no little-endian ELF-64 file")
    (segments_at,) = struct.unpack_from("<Q", library, SEGMENTS_AT)
    size, count = struct.unpack_from("<HH", library, SEGMENT_SIZE)
    segments = [SEGMENT.unpack_from(library, segments_at + number * size) for number in range(count)]
    end = max(offset + length for _, _, offset, _, _, length, _, _ in segments)
    kept = bytearray(library[:end])
    struct.pack_into("<Q", kept, SECTIONS_AT, 0)
    struct.pack_into("<HH", kept, SECTION_COUNT, 0, 0)  # and which section has the names
    return bytes(kept)


if __name__ == "__main__":
    for path in Path(sys.argv[1]).rglob("*.so*"):
        path.write_bytes(stripped(path.read_bytes()))
