"""Which states a crash of the machine may leave of one directory, by the least that POSIX promises.

Only fsync makes anything durable: the one of a file its bytes, the one of the directory its names. Before
that any subset of the changes of names may have been written, in their order, and of a file any part of its
bytes, with zeros where a block is missing. An fsync that failed promises nothing, nor does a later one of
what was not changed again since (Rebello et al., ATC'20): of a file whole, of a directory in any name, as
the few names here are one block.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

BLOCK = 4096
Names = dict[str, int]  # a name's inode
State = Mapping[str, bytes]  # a directory after a crash: each file's bytes


@dataclass
class Inode:
    """A file's bytes: as programs see them, and those that no crash can take."""

    seen: bytes = b""
    durable: bytes = b""
    doubtful: bool = False  # an fsync failed

    def after_a_crash(self) -> set[bytes]:
        """Every content that a crash may leave."""
        if self.seen == self.durable:
            return {self.seen}
        return {self.durable, *_torn(self.seen)}


@dataclass
class Directory:
    """A directory of a file system that keeps no more than it must."""

    inodes: list[Inode] = field(default_factory=list)
    seen: Names = field(default_factory=dict)
    durable: Names = field(default_factory=dict)
    pending: list[dict[str, int | None]] = field(default_factory=list)
    doubtful: bool = False

    @classmethod
    def holding(cls, files: State) -> "Directory":
        """One whose files are durable."""
        names = {name: number for number, name in enumerate(files)}
        return cls([Inode(data, data) for data in files.values()], dict(names), dict(names))

    def create(self, name: str) -> int:
        """Its inode."""
        self.inodes.append(Inode())
        self._change({name: len(self.inodes) - 1})
        return len(self.inodes) - 1

    def rename(self, old: str, new: str) -> None:
        """One change, which is written whole or not at all."""
        self._change({new: self.seen[old], old: None})

    def unlink(self, name: str) -> None:
        """Takes the name away."""
        self._change({name: None})

    def write(self, inode: int, data: bytes) -> None:
        """Appends."""
        self.inodes[inode].seen += data

    def fsync(self, inode: int | None, *, ok: bool = True) -> None:
        """Makes a file durable, or the directory where `inode` is None."""
        if inode is None:
            self.doubtful = self.doubtful or not ok
            if not self.doubtful:
                self.durable, self.pending = dict(self.seen), []
        elif not ok:
            self.inodes[inode].doubtful = True
        elif not self.inodes[inode].doubtful:
            self.inodes[inode].durable = self.inodes[inode].seen

    def after_a_crash(self) -> Iterator[State]:
        """Every state that a crash may leave now."""
        for names in self._names_after_a_crash():
            contents = [sorted(self.inodes[inode].after_a_crash()) for inode in names.values()]
            for content in product(*contents):
                yield dict(zip(names, content, strict=True))

    def _names_after_a_crash(self) -> Iterator[Names]:
        for count in range(len(self.pending) + 1):
            for written in combinations(self.pending, count):
                names: dict[str, int | None] = dict(self.durable)
                for change in written:
                    names |= change
                yield {name: inode for name, inode in names.items() if inode is not None}

    def _change(self, names: dict[str, int | None]) -> None:
        self.pending.append(names)
        self.doubtful = False
        self.seen = {name: inode for name, inode in (self.seen | names).items() if inode is not None}


def _torn(data: bytes) -> Iterator[bytes]:
    """`data` cut at any block, with any of the blocks before the cut missing."""
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    for count in range(len(blocks) + 1):
        for there in product((True, False), repeat=count):
            yield b"".join(
                block if kept else bytes(len(block)) for block, kept in zip(blocks, there, strict=False)
            )
