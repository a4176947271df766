"""How much sound a file promises, by its header alone: decoders shorten damaged files without a word."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_TAIL = 1 << 17
"""Bytes; a page of Ogg has at most 65 307."""
_UNKNOWN = 0xFFFFFFFF
_END_OF_STREAM = 4


class Cut(NamedTuple):
    """A file that ends before its header says.

    Attributes
    ----------
    has : float
        The share of the promised bytes that is there, 0 to 1.
    why : str
        In words.
    """

    has: float
    why: str


def cut_short(path: Path, form: str) -> Cut | None:
    """Return where a file ends too early, by its header, or None if it is whole or promises nothing.

    Parameters
    ----------
    path : Path
        A file that libsndfile opens.
    form : str
        Its container as libsndfile names it, such as ``"WAV"``.

    Notes
    -----
    Only the head and the tail are read. FLAC and MP3 are compared with what was decoded, by `limen.audio.read`.
    Chunks of RIFF and of AIFF (IFF 85) follow each other with their sizes; RF64 (EBU Tech 3306) has a size of
    8 bytes in ``ds64``; a stream of Ogg (RFC 3533) ends with a page that says so.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if form in ("WAV", "WAVEX", "RF64"):
            return _riff(file, size)
        if form == "AIFF":
            return _chunks(file, size, b"SSND", ">")
        if form == "OGG":
            return _ogg(file, size)
    return None


def _riff(file: BinaryIO, size: int) -> Cut | None:
    kind = file.read(4)
    return _chunks(file, size, b"data", ">" if kind == b"RIFX" else "<")


def _chunks(file: BinaryIO, size: int, wanted: bytes, order: str) -> Cut | None:
    long_size = None
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = head[:4], struct.unpack(f"{order}I", head[4:])[0]
        if name == b"ds64":
            known = file.read(16)
            long_size = struct.unpack("<Q", known[8:])[0] if len(known) == 16 else None
            file.seek(length - len(known), os.SEEK_CUR)
            continue
        if name == wanted:
            if length == _UNKNOWN:
                length = 0 if long_size is None else long_size
            there = size - file.tell()
            if length > there:
                return Cut(there / length, f"its header promises {length} bytes of sound, {there} are there")
            return None
        file.seek(length + length % 2, os.SEEK_CUR)
    return None


def _ogg(file: BinaryIO, size: int) -> Cut | None:
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.rfind(b"OggS\0")
    last = tail[at : at + 27] if at >= 0 else b""
    n_segments = last[26] if len(last) == 27 else 256
    lacing = tail[at + 27 : at + 27 + n_segments]
    whole = len(lacing) == n_segments and at + 27 + n_segments + sum(lacing) <= len(tail)
    if whole and last[5] & _END_OF_STREAM:
        return None
    return Cut(1.0, "its last page does not say that the stream ends")
