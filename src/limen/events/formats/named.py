"""Names of recordings: files without their endings, found again whatever folder is written before them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

AUDIO_ENDINGS = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aiff",
    ".aif",
    ".aifc",
    ".w64",
    ".rf64",
    ".au",
    ".caf",
)
"""Endings of files that are taken for recordings."""
_BESIDES = (".selections", ".selection.table", ".birdnet", ".results", ".table.1", ".labels")
"""What programs add to the name of a recording before the ending of a file of its events."""


def recording_name(file: str) -> str:
    r"""Return the name of a recording: its path with ``/``, without the ending of an audio file.

    Examples
    --------
    >>> recording_name("site 1\\dawn.WAV"), recording_name("take 1.5")
    ('site 1/dawn', 'take 1.5')
    """
    name = file.strip().replace("\\", "/").removeprefix("./")
    ending = PurePosixPath(name).suffix
    return name[: -len(ending)] if ending.lower() in AUDIO_ENDINGS else name


def annotated_by(file: str) -> str:
    """Return the name of the recording that a file of its events is called after.

    Examples
    --------
    >>> annotated_by("dawn.Table.1.selections.txt"), annotated_by("site/dawn.wav.txt")
    ('dawn', 'site/dawn')
    """
    name = file[: -len(PurePosixPath(file).suffix)]
    while added := next((end for end in _BESIDES if name.lower().endswith(end)), None):
        name = name[: -len(added)]
    return recording_name(name)


class Recordings:
    """Recordings by name, found from paths that go on or stop earlier than their names do.

    Examples
    --------
    >>> known = Recordings(["north/dawn", "south/dawn", "south/dusk"])
    >>> known.find("/data/2024/north/dawn"), known.find("dusk"), known.find("dawn")
    (['north/dawn'], ['south/dusk'], ['north/dawn', 'south/dawn'])
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._known = frozenset(self.names)
        self._by_end: dict[str, list[str]] = {}
        for name in self.names:
            self._by_end.setdefault(name.rpartition("/")[2], []).append(name)

    def find(self, name: str) -> list[str]:
        """Return the recordings that a name can mean: that very one, or all that end as it does."""
        if name in self._known:
            return [name]
        parts = name.split("/")
        return [known for known in self._by_end.get(parts[-1], []) if _end_alike(parts, known.split("/"))]


def _end_alike(a: list[str], b: list[str]) -> bool:
    shared = min(len(a), len(b))
    return a[-shared:] == b[-shared:]
