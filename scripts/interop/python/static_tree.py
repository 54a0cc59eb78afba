"""Reads a static tree of Headwater with the Python standard library, and the Ed25519 of
`cryptography` where that is installed. Nothing of Headwater's code takes part.

Usage: static_tree.py FOLDER VKEY

FOLDER is that of one log. Every leaf is hashed into a tree of RFC 6962 from nothing, and its root,
all tiles, the chain of seals and the signature of the checkpoint are compared with it.
"""

import base64
import hashlib
import struct
import sys
from pathlib import Path


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(hashes):
    """Merkle tree hash of RFC 6962 section 2.1 over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01", root_of(hashes[:split]), root_of(hashes[split:]))


def tile_path(level, index, width):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == 256 else f".p/{width}")


def tiles_of(level, nodes):
    """(index, width) of each tile over so many nodes of a level."""
    for index in range(0, (nodes + 255) // 256):
        yield index, min(256, nodes - 256 * index)


def read_bundle(data, width):
    leaves, at = [], 0
    for _ in range(width):
        (length,) = struct.unpack_from(">H", data, at)
        leaves.append(data[at + 2 : at + 2 + length])
        at += 2 + length
        assert at <= len(data), "the bundle ends early"
    assert at == len(data), "bytes follow the last entry"
    return leaves


def check_signature(vkey, note):
    text, lines = note.rsplit("\n\n", 1)
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert sha256(name.encode(), b"\n", key)[:4].hex() == key_id, "the verifier key is damaged"
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return "signature not checked: no module cryptography"
    for line in lines.splitlines():
        _, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if signer == name and blob[:4].hex() == key_id:
            public = Ed25519PublicKey.from_public_bytes(key[1:])
            public.verify(blob[4:], (text + "\n").encode())
            return "signature of the checkpoint verified"
    raise AssertionError("the writer did not sign the checkpoint")


def check_seals(leaves):
    """Each seal names its block, the seal before and how many entries it closes."""
    previous, number, entries = bytes(32), 0, 0
    for leaf in leaves:
        entries += 1
        if leaf[0] != 2:
            continue
        block, before, count = struct.unpack_from(">Q32sI", leaf, 1)
        assert (block, before, count) == (number, previous, entries), f"seal of block {block}"
        previous, number, entries = sha256(b"\x00", leaf), number + 1, 0
    assert entries == 0, "entries follow the last seal"
    return number


def main(folder, vkey):
    place = Path(folder)
    note = (place / "checkpoint").read_text(encoding="utf-8")
    origin, size_text, root_text = note.split("\n")[:3]
    assert origin == vkey.split("+", 1)[0], "a checkpoint of another log"
    size, root = int(size_text), base64.b64decode(root_text)
    print(check_signature(vkey, note))
    leaves = []
    for index, width in tiles_of(0, size):
        leaves += read_bundle((place / tile_path("entries", index, width)).read_bytes(), width)
    hashes = [sha256(b"\x00", leaf) for leaf in leaves]
    assert root_of(hashes) == root, "the entries do not give the root"
    print(f"{size} entries hash to the root of the checkpoint")
    level, tiles = 0, 0
    while hashes:
        for index, width in tiles_of(level, len(hashes)):
            stored = (place / tile_path(level, index, width)).read_bytes()
            wanted = b"".join(hashes[256 * index : 256 * index + width])
            assert stored == wanted, f"tile {index} of level {level}"
            tiles += 1
        full = len(hashes) // 256
        hashes = [root_of(hashes[256 * i : 256 * i + 256]) for i in range(full)]
        level += 1
    print(f"{tiles} tiles on {level} levels are what the entries give")
    blocks = check_seals(leaves)
    assert all((place / f"block/{number}").is_file() for number in range(blocks))
    print(f"{blocks} seals are a chain, and each has its block")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, OSError, ValueError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
