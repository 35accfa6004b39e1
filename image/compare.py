"""`python image/compare.py ONE OTHER`: whether two images, as OCI layouts, have the same layers.

OCI image layout: index.json names a manifest, which names the layers, each in blobs/ under its digest.
"""

import hashlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

Entry = tuple[Any, ...]


def blob(image: Path, digest: str) -> Path:
    """Where what has this digest lies."""
    return image / "blobs" / digest.replace(":", "/")


def layers(image: Path) -> list[Path]:
    """The image's layers, from the bottom up."""
    manifests = json.loads((image / "index.json").read_text())["manifests"]
    if len(manifests) != 1:
        sys.exit(f"{image} holds {len(manifests)} images: give one --platform.")
    named = json.loads(blob(image, manifests[0]["digest"]).read_text())["layers"]
    return [blob(image, each["digest"]) for each in named]


def entries(layer: Path) -> dict[str, Entry]:
    """What a layer says of each file: kind, mode, owner, time, size, and a digest of its bytes."""
    found: dict[str, Entry] = {}
    with tarfile.open(layer) as archive:
        for each in archive:
            content = archive.extractfile(each) if each.isreg() else None
            digest = hashlib.sha256(content.read()).hexdigest() if content else each.linkname
            found[each.name] = (each.type, oct(each.mode), each.uid, each.gid, each.mtime, each.size, digest)
    return found


def differences(one: Path, other: Path) -> list[str]:
    """A line for each file in which two layers differ; one line where only the order or the packing does."""
    first, second = entries(one), entries(other)
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return [f"{name}: {first.get(name)} and {second.get(name)}" for name in names] or ["order or packing"]


def main(one: Path, other: Path) -> int:
    """Prints each layer, and what differs; 0 where nothing does, else 1."""
    ours, theirs = layers(one), layers(other)
    same = len(ours) == len(theirs)
    if not same:
        print(f"One image has {len(ours)} layers, the other {len(theirs)}.")
    for number, (first, second) in enumerate(zip(ours, theirs, strict=False), 1):
        print(f"layer {number}: {first.name}")
        if first.name != second.name:
            same = False
            print(f"     but: {second.name}", *differences(first, second)[:20], sep="\n  ")
    print("All layers are the same." if same else "The layers differ.")
    return not same


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
