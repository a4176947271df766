"""Media beside the items of a report: files of a folder, or addresses, found by the items' ids."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from limen.errors import InputError, LimenWarning, MissingDependencyError, UnreadableError, count, examples
from limen.reporting.spectrograms import MOST_PICTURED, pictured

AUDIO = frozenset({"wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "aac", "aif", "aiff"})
IMAGES = frozenset({"png", "jpg", "jpeg", "webp", "gif", "svg"})
KINDS = ("audio", "image", "text", "link")
"""What stands beside an item, the first where several files have its name."""
EXCERPT = 600
"""Characters of a local text that the page holds."""
PLACE = "{id}"
HERE = quote(PLACE)
EXAMPLE = f"https://example.org/clips/{PLACE}.ogg"
ALLOWED = "%/:@!$&*()+=~-._"
"""What an address keeps as it is; a comma or semicolon would divide a policy."""

Picturing = Callable[[Mapping[int, Path], Callable[[float], None]], tuple[Mapping[Any, Any], list[int]]]
"""What draws recordings by their numbers: the pictures, and the numbers of those that cannot be read."""


@dataclass(frozen=True)
class Policy:
    """What the page may load besides its own text: sources of a Content-Security-Policy, empty for none."""

    media: str = ""
    images: str = ""


NO_MEDIA = Policy()


@dataclass(eq=False)
class Folder:
    """The files of a folder; an id is a file's name, or its name without the ending, with sub-folders by ``/``."""

    path: Path
    _seen: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path)

    def find(self, item: str) -> str | None:
        """Return the path in the folder of an item's file, None if it has none."""
        if not _stays_inside(item):
            return None
        *parents, name = item.split("/")
        found = self._names(parents).get(unicodedata.normalize("NFC", name), [])
        return "/".join([*parents, min(found, key=_rank)]) if found else None

    def address(self, found: str, page: Path) -> str:
        """Return where a file lies as seen from the page, percent-encoded."""
        file = self.path.absolute() / found
        try:
            relative = Path(os.path.relpath(file, page.absolute().parent)).as_posix()
        except ValueError:  # on another drive
            return file.as_uri()
        return quote(os.fsencode(f"./{relative}"))

    def what_is_there(self) -> str:
        """Return a few files of the folder, for a message."""
        files: list[str] = []
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            files += [Path(folder, name).relative_to(self.path).as_posix() for name in sorted(names)]
            if len(files) > 1000:
                break
        return f"it holds {examples(files, most=3)}" if files else "it is empty"

    def _names(self, parents: list[str]) -> dict[str, list[str]]:
        """Return the files of a sub-folder by their names, with and without their endings."""
        key = "/".join(parents)
        if key not in self._seen:
            names: dict[str, list[str]] = {}
            try:
                entries = sorted(entry.name for entry in os.scandir(self.path / key) if entry.is_file())
            except (OSError, ValueError):
                entries = []
            for entry in entries:
                for name in {entry, PurePosixPath(entry).stem}:
                    names.setdefault(unicodedata.normalize("NFC", name), []).append(entry)
            for name, several in names.items():  # a whole name goes before others that begin with it
                names[name] = [one for one in several if unicodedata.normalize("NFC", one) == name] or several
            self._seen[key] = names
        return self._seen[key]


@dataclass(frozen=True)
class Pattern:
    """Addresses that are made from ids, like ``https://example.org/clips/{id}.ogg``.

    Attributes
    ----------
    name : str
        As the user wrote it.
    start, path, rest : str
        Scheme and host; path; query and fragment: encoded, and `HERE` where the id goes.
    """

    name: str
    start: str
    path: str
    rest: str

    @classmethod
    def of(cls, text: str) -> Pattern:
        """Return the pattern that a text is.

        Raises
        ------
        InputError
            If it is no address of http or https, or the id has no place in its path or query.
        """
        try:
            parts = urlsplit(text)
            host = parts.netloc.encode("idna").decode()
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme.lower() not in ("http", "https") or not re.fullmatch(r"[\w.-]+(:\d+)?", host, re.ASCII):
            raise InputError(
                f"media={text!r} is no address of http or https on one host. Write it like {EXAMPLE}, or give a "
                "folder."
            )
        if PLACE not in parts.path + parts.query:
            raise InputError(
                f"media={text!r} has no {PLACE} in its path or query, where the id of an item goes. Write it like "
                f"{EXAMPLE}."
            )
        rest = f"?{parts.query}" * bool(parts.query) + f"#{parts.fragment}" * bool(parts.fragment)
        path, rest = (quote(part, safe=f"{ALLOWED}?#") for part in (parts.path, rest))
        return cls(text, f"{parts.scheme.lower()}://{host}", path, rest)

    def find(self, item: str) -> str | None:
        """Return an id as it stands in an address, None if it cannot."""
        return quote(item.encode("utf-8", "replace"), safe="/") if item and _stays_inside(item) else None

    def address(self, found: str, page: Path) -> str:
        """Return the address of an item; it does not depend on the page."""
        return (self.start + self.path + self.rest).replace(HERE, found)

    def what_is_there(self) -> str:
        """Return why nothing was found, for a message."""
        return "none of these can stand in an address"

    @property
    def source(self) -> str:
        """The narrowest source of a policy that all these addresses belong to."""
        before, here, _ = self.path.partition(HERE)
        return self.start + (before[: before.rindex("/") + 1] if here else before)


@dataclass(frozen=True)
class Media:
    """Where the media of a report are, and what each item has."""

    place: Folder | Pattern
    found: dict[str, str]
    n_items: int
    missing: tuple[str, ...]
    refused: tuple[str, ...]

    @classmethod
    def of(cls, media: str | os.PathLike[str], ids: Sequence[str] | None) -> Media:
        """Return the media of a folder or a pattern of addresses.

        Raises
        ------
        InputError
            If the items have no ids, none of them has a file, or a pattern is no address of http or https.
        UnreadableError
            If there is no such folder.
        """
        place = _place(media)
        if ids is None:
            raise InputError(
                f"media={place.name!r} needs the ids of the items, to find what belongs to each. Add an id column "
                "to the scores and labels, or give ids."
            )
        found = {name: at for name in ids if (at := place.find(name)) is not None}
        without = [name for name in dict.fromkeys(ids) if name not in found]
        refused = tuple(name for name in without if not _stays_inside(name))
        missing = tuple(name for name in without if _stays_inside(name))
        if not found:
            raise InputError(
                f"media={place.name!r} has nothing for any of {count(len(ids), 'item')} (looked for "
                f"{examples(ids, most=3)}); {place.what_is_there()}. An id must be the name of a file, with or "
                "without its ending; files in sub-folders have ids with a slash, folder/name."
            )
        return cls(place, found, len(ids), missing, refused)

    def content(
        self,
        listed: Sequence[str],
        page: Path,
        progress: Callable[[float], None] = lambda share: None,
        picture: Picturing | None = None,
    ) -> dict[str, Any]:
        """Return what the page holds of the media of the items listed, in their order; say what is missing.

        Parameters
        ----------
        picture : callable, optional
            Draws the recordings given by their numbers, as `pictured` does; `pictured` itself, for the first
            `MOST_PICTURED`, if left out.

        Returns
        -------
        dict
            ``items``: for each item a kind of `KINDS`, an address, and for text an excerpt, or None;
            ``pictures``: the spectrograms by the number of the item; ``notes``: what could not be had, in words;
            ``where``: the host that the addresses name, empty for a folder.
        """
        notes = self._notes()
        items = [self._item(name, page) for name in listed]
        pictures: Mapping[Any, Any] = {}
        if isinstance(self.place, Folder):
            audio = {k: self.place.path / self.found[listed[k]] for k in range(len(listed)) if _is_audio(items[k])}
            try:
                if picture is None:
                    pictures, damaged = pictured(dict(list(audio.items())[:MOST_PICTURED]), progress)
                else:
                    pictures, damaged = picture(audio, progress)
                if damaged:
                    names = examples(listed[k] for k in damaged)
                    notes.append(
                        f"no spectrogram of {count(len(damaged), 'recording')} that soundfile cannot read "
                        f"({names}): empty, damaged, or of a format that it lacks"
                    )
            except MissingDependencyError as error:
                notes.append(f"{error}. Recordings can be played without")
        for note in notes:
            warnings.warn(note, LimenWarning, stacklevel=3)
        where = "" if isinstance(self.place, Folder) else urlsplit(self.place.name).netloc
        return {"items": items, "pictures": pictures, "notes": notes, "where": where}

    def policy(self, content: dict[str, Any]) -> Policy:
        """Return what the page must be allowed to load to show this content, and nothing else."""
        kinds = {item["kind"] for item in content["items"] if item is not None}
        # The page is opened from a disk or from a server, and lies where it will: beside the files either way.
        source = "'self' file:" if isinstance(self.place, Folder) else self.place.source
        return Policy(source if "audio" in kinds else "", source if "image" in kinds else "")

    def _notes(self) -> list[str]:
        notes = []
        if self.missing:
            notes.append(
                f"{self.place.name} has nothing for {len(self.missing)} of {count(self.n_items, 'item')} "
                f"({examples(self.missing)})"
            )
        if self.refused:
            notes.append(
                f"{count(len(self.refused), 'id')} would lead out of {self.place.name} and was not looked for "
                f"({examples(self.refused)})"
            )
        return notes

    def _item(self, name: str, page: Path) -> dict[str, str] | None:
        if name not in self.found:
            return None
        found = self.found[name]
        address = self.place.address(found, page)
        if isinstance(self.place, Pattern):  # a text that lies elsewhere cannot be read while the page is made
            kind = min(_kind(urlsplit(address).path), _kind(urlsplit(address).query))
            return {"kind": "link" if KINDS[kind] == "text" else KINDS[kind], "at": address}
        item = {"kind": KINDS[_kind(found)], "at": address}
        if item["kind"] == "text":
            item["excerpt"] = _excerpt(self.place.path / found)
        return item


def _place(media: str | os.PathLike[str]) -> Folder | Pattern:
    """Return the folder or the pattern that ``media`` is."""
    text = os.fspath(media)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", text)
    if PLACE not in text and not (scheme and "://" in text):
        path = Path(text)
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise UnreadableError(
                f"media={text!r} {what}. Give a folder of files named like the items, or an address with {PLACE} "
                "in it."
            )
        return Folder(path)
    if PLACE in text and not scheme:
        raise InputError(
            f"media={text!r} is no address. Give a folder by itself, without {PLACE}: ids are found in it by name."
        )
    return Pattern.of(text)


def _stays_inside(item: str) -> bool:
    """Return whether an id names something below a folder: no way up, none from the root, no other drive."""
    parts = re.split(r"[/\\]", item)
    return not ({".", ".."} & set(parts) or parts[0] == "" or "\0" in item or (os.name == "nt" and ":" in item))


def _kind(name: str) -> int:
    """Return the place among `KINDS` of a file, by its ending."""
    ending = name.rpartition(".")[2].lower()
    return 0 if ending in AUDIO else 1 if ending in IMAGES else 2 if ending == "txt" else 3


def _rank(name: str) -> tuple[int, str]:
    return _kind(name), name


def _is_audio(item: dict[str, str] | None) -> bool:
    return item is not None and item["kind"] == "audio"


def _excerpt(file: Path) -> str:
    """Return the beginning of a text."""
    try:
        with file.open("rb") as opened:
            text = opened.read(4 * EXCERPT + 4).decode("utf-8-sig", "replace")
    except OSError as error:
        return f"({error.strerror})"
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…"
