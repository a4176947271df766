"""Ogg and MPEG walked page by page, frame by frame: their decoders drop what is damaged without a word."""

from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL = 0xFFFFFFFF
_END_OF_STREAM = 4
_NO_GRANULE = 2**64 - 1
_BUFFER = 1 << 20
_OPUS_RATE = 48000
_RATES = (44100, 48000, 32000)
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version and layer of MPEG (ISO 11172-3, 13818-3)."""
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
_MOST_TRIMMED = 2 * 4095
"""Samples that the header of LAME may take from the ends together."""


class Break(NamedTuple):
    """Where a stream breaks off, in seconds, and in words why."""

    second: float
    why: str


class Frame(NamedTuple):
    """A frame of MPEG: its kind, its bytes and its samples."""

    kind: tuple[int, int, int]
    size: int
    samples: int


def broken(path: Path, form: str, rate: int, subtype: str) -> Break | None:
    """Return where a file of Ogg or MPEG breaks off, or None if every page or frame is whole.

    Notes
    -----
    A page of Ogg (RFC 3533) has a number and a checksum: CRC-32 with the highest bit first, which is zlib's of
    bytes with their bits reversed. A frame of MPEG gives its own size, so that one follows another.
    """
    with path.open("rb", buffering=_BUFFER) as file:
        if form == "OGG":
            return _ogg(file, _OPUS_RATE if subtype == "OPUS" else rate)
        return _mpeg(file)[1] if form == "MP3" else None


def least_samples(path: Path) -> int:
    """Return how many samples of each channel a whole file of MPEG has at least."""
    with path.open("rb", buffering=_BUFFER) as file:
        n_samples, _ = _mpeg(file)
    return max(0, n_samples - _MOST_TRIMMED)


def _ogg(file: BinaryIO, rate: int) -> Break | None:
    serial, number, second, ended = None, 0, 0.0, False
    while head := file.read(27):
        if ended and not head.startswith(b"OggS"):
            return None
        lacing = file.read(head[26]) if len(head) == 27 and head.startswith(b"OggS") else b""
        body = file.read(sum(lacing))
        if len(head) < 27 or len(lacing) < head[26] or len(body) < sum(lacing):
            return Break(second, f"page {number} is damaged or cut short")
        kind, granule, own_serial, own_number, check = struct.unpack("<BQIII", head[5:26])
        if _checksum(head[:22] + bytes(4) + head[26:] + lacing + body) != check:
            return Break(second, f"the checksum of page {number} is wrong")
        if ended or own_serial != (own_serial if serial is None else serial):
            return Break(second, "another stream follows, which would not be heard")
        if own_number != number:
            return Break(second, f"page {number} is missing")
        serial, number, ended = own_serial, number + 1, bool(kind & _END_OF_STREAM)
        if granule != _NO_GRANULE:
            second = granule / rate
    return None if ended else Break(second, "its last page does not say that the stream ends")


def _checksum(page: bytes) -> int:
    value = zlib.crc32(page.translate(_REVERSED), _ALL) ^ _ALL
    return int.from_bytes(value.to_bytes(4, "little").translate(_REVERSED), "big")


def _mpeg(file: BinaryIO) -> tuple[int, Break | None]:
    """Return the samples of the whole frames, and where their row breaks off."""
    head, n_samples, first, number = _after_tags(file), 0, None, 0
    while head:
        frame = _frame(head)
        second = 0.0 if first is None else n_samples / first.kind[2]
        if frame is None or (first is not None and frame.kind != first.kind):
            rest = head + file.read(16)
            if first is not None and (rest.startswith(_TAGS) or not (rest + file.read()).strip(b"\0")):
                return n_samples, None
            return n_samples, Break(second, f"at frame {number} there is something else")
        body = file.read(frame.size - 4)
        if len(body) < frame.size - 4:
            return n_samples, Break(second, f"frame {number} is cut short")
        if first is None:
            first = frame
        # The frame that only says how many there are has no sound.
        n_samples += 0 if number == 0 and _says_length(body) else frame.samples
        number += 1
        head = file.read(4)
    return n_samples, None


def _says_length(body: bytes) -> bool:
    return any(name in body[:64] for name in (b"Xing", b"Info", b"VBRI"))


def _after_tags(file: BinaryIO) -> bytes:
    """Return the first four bytes after tags of ID3v2, which give their size in four times 7 bits."""
    while (head := file.read(4)).startswith(b"ID3"):
        rest = file.read(6)
        if len(rest) < 6:
            return b""
        size = functools.reduce(lambda value, byte: value << 7 | byte & 127, rest[2:], 0)
        file.read(size + (10 if rest[1] & 16 else 0))
    return head


@functools.lru_cache(maxsize=1024)
def _frame(head: bytes) -> Frame | None:
    if len(head) < 4 or head[0] != 255 or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = {3: 1, 2: 2, 0: 4}.get(head[1] >> 3 & 3, 0), 4 - (head[1] >> 1 & 3)
    bits, rates = head[2] >> 4, head[2] >> 2 & 3
    if not version or layer == 4 or bits in (0, 15) or rates == 3:
        return None
    rate = _RATES[rates] // version
    bit_rate = 1000 * _KBITS[min(version, 2), layer][bits - 1]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return Frame((version, layer, rate), (12 * bit_rate // rate + padding) * 4, 384)
    samples = 576 if layer == 3 and version > 1 else 1152
    return Frame((version, layer, rate), samples // 8 * bit_rate // rate + padding, samples)
