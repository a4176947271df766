"""Which file or address belongs to which id, what the page may load, and what is said of the rest."""

import unicodedata
import warnings
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from limen.errors import InputError, LimenWarning, UnreadableError
from limen.reporting.assembly import assembled
from limen.reporting.media import NO_MEDIA, Media, Policy

ODD = (
    "a b",
    "grün #1",
    "100%",
    "it's",
    'say "hi"',
    "a?b&c=d",
    "50;x,y",
    "x.y.z",
    "鳥 🐦",
    "<b>",
    "a+b",
    "it\\has",
)


def items(media, ids, page):
    """What each id gets, and the policy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimenWarning)
        found = Media.of(media, ids)
        content = found.content(ids, page)
    return content["items"], found.policy(content)


def file_of(address, page):
    return Path(page.parent, unquote(address)).resolve()


def test_ids_are_names_or_stems_with_sub_folders_by_a_slash(tmp_path):
    (tmp_path / "clips" / "far" / "away").mkdir(parents=True)
    for name in ("one.wav", "two.FLAC", "far/away/three.png", "four.txt", "five.pdf", "six"):
        (tmp_path / "clips" / name).write_text("words")
    page = tmp_path / "reports" / "r.html"
    found, policy = items(
        tmp_path / "clips", ["one", "two.FLAC", "far/away/three", "four", "five", "six", "none"], page
    )
    assert [item and item["kind"] for item in found] == ["audio", "audio", "image", "text", "link", "link", None]
    assert found[0]["at"] == "./../clips/one.wav"
    assert file_of(found[2]["at"], page) == tmp_path / "clips" / "far" / "away" / "three.png"
    assert found[3]["excerpt"] == "words"
    assert policy == Policy("'self' file:", "'self' file:")


def test_odd_names_are_found_and_encoded(tmp_path):
    clips = tmp_path / "my clips #2"
    clips.mkdir()
    for name in ODD:
        (clips / f"{name}.bin").touch()
    page = tmp_path / "r.html"
    for name, item in zip(ODD, items(clips, ODD, page)[0], strict=True):
        assert file_of(item["at"], page) == clips / f"{name}.bin"
        assert item["at"].isascii()
        assert not set(" #?<>\"'") & set(item["at"])


def test_umlauts_written_in_two_ways_are_the_same(tmp_path):
    apart = unicodedata.normalize("NFD", "Grünspecht")
    (tmp_path / f"{apart}.wav").touch()
    page = tmp_path / "r.html"
    found, _ = items(tmp_path, ["Grünspecht"], page)
    assert file_of(found[0]["at"], page).name == f"{apart}.wav"


def test_of_several_files_a_whole_name_and_then_sound_go_first(tmp_path):
    for name in ("a.png", "a.wav", "a.txt", "b", "b.wav", "c.jpg", "c.txt"):
        (tmp_path / name).touch()
    found, _ = items(tmp_path, ["a", "b", "c", "a.png"], tmp_path / "r.html")
    assert [item["at"] for item in found] == ["./a.wav", "./b", "./c.jpg", "./a.png"]


def test_no_id_leads_out_of_the_folder(tmp_path):
    (tmp_path / "clips" / "in").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "clips" / "a.txt").write_text("open")
    out = ["../secret", "in/../../secret", str(tmp_path / "secret"), "..\\secret", ".", "a\0b", "./a"]
    with pytest.warns(
        LimenWarning, match=r"7 ids would lead out of .*clips and was not looked for \('\.\./secret'"
    ):
        content = Media.of(tmp_path / "clips", ["a", *out]).content(["a", *out], tmp_path / "r.html")
    assert [item is None for item in content["items"]] == [False] + 7 * [True]
    assert "secret" not in str(content["items"])


def test_what_is_missing_is_counted_and_said(tmp_path):
    (tmp_path / "a.png").touch()
    media = Media.of(tmp_path, ["a", "b", "c"])
    with pytest.warns(LimenWarning, match=r"has nothing for 2 of 3 items \('b', 'c'\)"):
        assert len(media.content(["c"], tmp_path / "r.html")["notes"]) == 1


def test_damaged_recordings_and_a_missing_soundfile_are_said(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    media = Media.of(tmp_path, ["a"])
    pytest.importorskip("soundfile")
    with pytest.warns(
        LimenWarning, match=r"no spectrogram of 1 recording that soundfile cannot read \('a'\): empty"
    ):
        assert media.content(["a"], tmp_path / "r.html")["pictures"] == {}
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.warns(LimenWarning, match=r'pip install "limen\[audio\]"\. Recordings can be played without'):
        content = media.content(["a"], tmp_path / "r.html")
    assert content["items"][0]["kind"] == "audio"


def test_an_excerpt_is_the_beginning_whatever_the_bytes(tmp_path):
    (tmp_path / "long.txt").write_text("ü" * 5000, encoding="utf-8-sig")
    (tmp_path / "latin.txt").write_bytes("grün".encode("latin-1"))
    (tmp_path / "short.txt").write_text("<b>as it is</b>\n")
    found, _ = items(tmp_path, ["long", "latin", "short"], tmp_path / "r.html")
    assert [item["excerpt"] for item in found] == ["ü" * 600 + "…", "gr\ufffdn", "<b>as it is</b>\n"]


@pytest.mark.parametrize(
    ("pattern", "item", "address", "kind", "source"),
    [
        (
            "https://a.org/clips/{id}.ogg",
            "x y/ü",
            "https://a.org/clips/x%20y/%C3%BC.ogg",
            "audio",
            "https://a.org/clips/",
        ),
        ("http://a.org:80/{id}", "x.png", "http://a.org:80/x.png", "image", "http://a.org:80/"),
        (
            "https://a.org/get?f={id}.mp3&v=1",
            "a&b#c",
            "https://a.org/get?f=a%26b%23c.mp3&v=1",
            "link",
            "https://a.org/get",
        ),
        ("https://a.org/get?v=1&f={id}.mp3", "a", "https://a.org/get?v=1&f=a.mp3", "audio", "https://a.org/get"),
        ("HTTPS://a.org/{id}/play.wav", "7", "https://a.org/7/play.wav", "audio", "https://a.org/"),
        (
            "https://a.org/a;b,c/{id}.gif",
            "7",
            "https://a.org/a%3Bb%2Cc/7.gif",
            "image",
            "https://a.org/a%3Bb%2Cc/",
        ),
        (
            "https://bücher.org/{id}.gif",
            "7",
            "https://xn--bcher-kva.org/7.gif",
            "image",
            "https://xn--bcher-kva.org/",
        ),
        ("https://a.org/{id}.txt", "7", "https://a.org/7.txt", "link", ""),
    ],
)
def test_addresses_and_the_narrowest_policy(tmp_path, pattern, item, address, kind, source):
    found, policy = items(pattern, [item], tmp_path / "r.html")
    assert found == [{"kind": kind, "at": address}]
    assert policy == Policy(source if kind == "audio" else "", source if kind == "image" else "")


def test_ids_cannot_choose_the_host_or_climb(tmp_path):
    hostile = ["//evil.org/x", "../x", "@evil.org", "javascript:alert(1)", "x\\..\\y"]
    found, _ = items("https://a.org/b/{id}.wav", hostile, tmp_path / "r.html")
    assert [item is None for item in found] == [True, True, False, False, True]
    assert {urlsplit(item["at"]).hostname for item in found if item} == {"a.org"}
    assert all(urlsplit(item["at"]).path.startswith("/b/") for item in found if item)


@pytest.mark.parametrize(
    ("media", "message"),
    [
        ("ftp://a.org/{id}", "is no address of http or https on one host"),
        ("javascript:alert('{id}')", "is no address of http or https on one host"),
        ("https://{id}.org/x", "is no address of http or https on one host"),
        ("https://a.org:x'/{id}", "is no address of http or https on one host"),
        ("https://me:secret@a.org/{id}", "is no address of http or https on one host"),
        ("https://a.org/x", r"has no \{id\} in its path or query"),
        ("https://a.org/x#{id}", r"has no \{id\} in its path or query"),
        ("clips/{id}.wav", r"is no address\. Give a folder by itself, without \{id\}"),
    ],
)
def test_patterns_that_are_none(media, message):
    with pytest.raises(InputError, match=message):
        Media.of(media, ["a"])


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "clips" / "dogs").mkdir(parents=True)
    with pytest.raises(UnreadableError, match=r"does not exist\. Give a folder of files named like the items"):
        Media.of(tmp_path / "none", ["a"])
    with pytest.raises(UnreadableError, match="is a file"):
        Media.of(tmp_path / "file", ["a"])
    with pytest.raises(InputError, match=r"has nothing for any of 2 items \(looked for 'a', 'b'\); it is empty"):
        Media.of(tmp_path / "clips", ["a", "b"])
    (tmp_path / "clips" / "dogs" / "a.wav").touch()
    with pytest.raises(InputError, match=r"it holds 'dogs/a\.wav'\. .*files in sub-folders have ids with a slash"):
        Media.of(tmp_path / "clips", ["a", "b"])
    with pytest.raises(InputError, match="needs the ids of the items"):
        Media.of(tmp_path / "clips", None)


def test_the_policy_without_media_is_as_it_was():
    def policy_of(page):
        return next(line for line in page.splitlines() if "Content-Security-Policy" in line)

    page, plain = {"title": "t"}, "img-src data:; base-uri"
    assert policy_of(assembled(page)) == policy_of(assembled(page, NO_MEDIA))
    assert plain in policy_of(assembled(page))
    assert "media-src" not in policy_of(assembled(page))
    assert "img-src data:; media-src https://a.org/; base-uri" in policy_of(
        assembled(page, Policy("https://a.org/"))
    )
    assert "img-src data: https://a.org/; base-uri" in policy_of(assembled(page, Policy("", "https://a.org/")))
