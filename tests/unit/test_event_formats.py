"""Annotations in, events out, score folders both ways; each message once."""

import json

import duckdb
import numpy as np
import pytest

from limen.errors import InputError, LimenWarning, UnreadableError
from limen.events import Events, FrameScores
from limen.events.formats import read_events, read_scores, write_events, write_scores
from limen.events.formats.folders import HEADER

ROWS = [("site/dawn", 0.1, 1 / 3, "dog"), ("site/dawn", 0.25, 0.9, "=cat; 'tom'"), ("dusk", 1.0, 1.5, "dog")]


@pytest.fixture
def events():
    return Events.from_rows(ROWS, recordings=["dusk", "night", "site/dawn"], labels=["=cat; 'tom'", "dog"])


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    frames = {name: rng.random((n, 2), np.float32) for name, n in (("dusk", 50), ("night", 20), ("site/dawn", 30))}
    return FrameScores(("=cat; 'tom'", "dog"), frames, 0.04, {"dusk": 2.0, "night": 0.79, "site/dawn": 1.2})


def written(tmp_path, text, name="events.tsv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# What limen writes, it reads


@pytest.mark.parametrize("form", ["csv", "dcase"])
def test_a_table_of_all_recordings_comes_back(tmp_path, events, scores, form):
    path = tmp_path / ("events.csv" if form == "csv" else "events.tsv")
    write_events(events, path, form)
    assert read_events(path, scores=scores) == events
    assert read_events(path) == events  # names of recordings and labels are sorted already


@pytest.mark.parametrize("form", ["audacity", "raven", "csv", "dcase"])
def test_a_folder_of_a_file_a_recording_comes_back(tmp_path, events, scores, form):
    for name in events.recordings:
        path = tmp_path / f"{name}.{'tsv' if form == 'dcase' else 'csv' if form == 'csv' else 'txt'}"
        path.parent.mkdir(exist_ok=True)
        write_events(events.take([name]), path, form, highest_hz=8000)
    assert read_events(tmp_path, scores=scores) == events


def test_json_lines_and_parquet_have_every_event(tmp_path, events):
    write_events(events, tmp_path / "e.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    write_events(events, tmp_path / "e.parquet")
    table = duckdb.sql(f"SELECT recording, onset, \"offset\", label FROM '{tmp_path}/e.parquet'").fetchall()
    wanted = events.rows()
    assert [tuple(line.values()) for line in lines] == wanted == table
    assert list(lines[0]) == ["recording", "onset", "offset", "label"]
    write_events(events.take(["night"]), tmp_path / "none.parquet")
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/none.parquet'").fetchall() == [(0,)]


def test_audacity_and_raven_as_they_want_it(tmp_path, events):
    write_events(events.take(["site/dawn"]), tmp_path / "dawn.txt")
    assert (tmp_path / "dawn.txt").read_text() == "0.100000\t0.333333\tdog\n0.250000\t0.900000\t=cat; 'tom'\n"
    files = {"site/dawn": "site/dawn.flac"}
    write_events(events.take(["site/dawn"]), tmp_path / "raven.txt", "raven", files=files, highest_hz=22050)
    head, first, _ = (tmp_path / "raven.txt").read_text().splitlines()
    assert head.split("\t")[:7] == [
        "Selection",
        "View",
        "Channel",
        "Begin Time (s)",
        "End Time (s)",
        "Low Freq (Hz)",
        "High Freq (Hz)",
    ]
    row = dict(zip(head.split("\t"), first.split("\t"), strict=True))
    assert row["Begin File"] == "dawn.flac"
    assert (row["Selection"], row["High Freq (Hz)"], row["Annotation"]) == ("1", "22050", "dog")


@pytest.mark.parametrize("form", ["npy", "tsv"])
def test_score_folders_come_back_bit_for_bit(tmp_path, scores, form):
    if form == "tsv":
        scores = FrameScores(("cat", "dog"), scores.recordings, scores.frame_seconds, scores.durations)
    write_scores(scores, tmp_path, form)
    back = read_scores(tmp_path)
    assert back.labels == scores.labels
    assert back.names == scores.names
    assert (back.frame_seconds, back.durations) == (0.04, scores.durations)
    for name in scores.names:
        assert back.dtype == np.float32
        np.testing.assert_array_equal(back.recordings[name], scores.recordings[name])


def test_a_header_written_last_has_the_room_it_needs():
    from limen.events.formats.folders import matrix_header

    assert {len(matrix_header(np.dtype(d), n, 527)) for d in ("f2", "f4", "f8") for n in (0, 10**12)} == {HEADER}


# What others write


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin File\t"
    "File Offset (s)\tSpecies\n"
    "1\tWaveform 1\t1\t100.5\t101.0\t0\t8000\tdusk.wav\t0.5\tdog\n"
    "1\tSpectrogram 1\t1\t100.5\t101.0\t0\t8000\tdusk.wav\t0.5\tdog\n"
)
BIRDNET = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\t"
    "Species Code\tConfidence\tBegin Path\tFile Offset (s)\n"
    "1\tSpectrogram 1\t1\t0.5\t1.0\t0\t15000\tdog\td\t0.91\t/data/2024/dusk.WAV\t0.5\n"
    "2\tSpectrogram 1\t1\t0\t3\t0\t15000\tnocall\tnocall\t1.0\t/data/2024/night.wav\t0\n"
)
DOG = [("dusk", 0.5, 1.0, "dog")]


@pytest.mark.parametrize(
    ("name", "text", "recordings"),
    [
        ("dusk.Table.1.selections.txt", RAVEN, ("dusk",)),
        ("all.txt", BIRDNET, ("dusk", "night")),
        ("dusk.txt", "0.5\t1.0\tdog\n\\\t200.0\t-1.0\n", ("dusk",)),
        ("dusk.wav.txt", "0,5\t1,0\tdog\n", ("dusk",)),
        ("e.tsv", "filename\tonset\toffset\tevent_label\ndusk.wav\t0.5\t1.0\tdog\nnight.wav\n", ("dusk", "night")),
        ("e.txt", "dusk.wav\t0.5\t1.0\tdog\n", ("dusk",)),
        ("e.csv", "File,End (s),Start (s),Common name\n./dusk.mp3,1.0,0.5,dog\n", ("dusk",)),
        ("e.csv", "label;start;end;recording\ndog;0,5;1,0;dusk\n\n;;;night\n", ("dusk", "night")),
    ],
)
def test_files_of_other_programs(tmp_path, scores, name, text, recordings):
    path = written(tmp_path, text, name)
    assert [row[1:] for row in read_events(path).rows()] == [row[1:] for row in DOG]
    found = read_events(path, scores=scores, unlisted="ignore")
    assert (found.rows(), found.recordings) == (DOG, recordings)
    assert found.labels == scores.labels


def test_what_overlaps_is_merged_and_counted(tmp_path, scores):
    path = written(tmp_path, "dusk\t0.1\t0.5\tdog\ndusk\t0.4\t0.9\tdog\ndusk\t0.9\t1\tdog\n", "e.tsv")
    with pytest.warns(LimenWarning, match=r"1 event overlapped another of the same label and was merged"):
        found = read_events(path, "dcase", scores=scores, unlisted="ignore")
    assert found.rows() == [("dusk", 0.1, 0.9, "dog"), ("dusk", 0.9, 1.0, "dog")]


def test_unlisted_recordings_are_empty_only_on_request(tmp_path, scores):
    path = written(tmp_path, "dusk\t0.1\t0.5\tdog\n")
    assert read_events(path, scores=scores, unlisted="empty").recordings == scores.names
    assert read_events(path, scores=scores, unlisted="ignore").recordings == ("dusk",)


# What is wrong


HEAD = "filename\tonset\toffset\tevent_label\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "dusk\t1\t2\tdog\ndusk\t2\t1.5\tdog\n",
            "events.tsv, line 3: 'dog' begins at 2 s and ends at 1.5 s. An",
        ),
        (HEAD + "dusk\t1\t1\tdog\ndusk\t2\t1\tdog\n", r"line 2: .* \(the first of 2 such events\)"),
        (HEAD + "dusk\t-1\t1\tdog\n", "line 2: 'dog' lasts from -1 to 1 s. Times are"),
        (HEAD + "dusk\tnow\t1\tdog\n", "line 2: the onset of 'dog' is 'now'. It must be a number of seconds"),
        (HEAD + "dusk\tnan\t1\tdog\n", "line 2: the onset of 'dog' is 'nan'"),
        (HEAD + "dusk\t0.1\t\tdog\n", "line 2: the offset of 'dog' is empty"),
        (HEAD + "dusk\t1\t1.5\t\n", "line 2: an event without a label"),
        (HEAD + "\t1\t1.5\tdog\n", "line 2 names no recording"),
        (HEAD + "dusk\t1\n", "line 2 has 2 cells, and the first line 4"),
        (
            HEAD + "dusk\t1\t9\tdog\n",
            "line 2: 'dog' lasts from 1 to 9 s, and 'dusk' only 2 s. An event lies within",
        ),
        (HEAD + "dusk\t2\t2.1\tdog\n", "line 2: 'dog' lasts from 2 to 2.1 s, and 'dusk' only 2 s"),
        (HEAD + "dusk\t1\t1.5\tdgo\n", "line 2: 'dgo' is none of the 2 labels scored .*--extra ignore"),
        (HEAD + "noon.wav\t1\t1.5\tdog\n", "line 2: there are no scores of the recording 'noon'"),
        (
            HEAD + "dusk.wav\t1\t2\tdog\ndusk.mp3\t1\t2\tdog\n",
            "line 3: 'dusk.mp3' and 'dusk.wav' both are the rec",
        ),
        (HEAD + "dusk.wav\t1\t2\tdog\nsite/dawn\n", "does not list 1 recording with scores .'night'.. If nothing"),
        (
            HEAD + "a/dusk\t1\t2\tdog\ndusk\t1\t2\tdog\nsite/dawn\nnight\n",
            "line 3: 'dusk' and 'a/dusk' both are the",
        ),
        (HEAD + "dusk\t1\t2\tdog\n", "does not list 2 recordings with scores"),
        (HEAD, "has no annotations"),
        ("", "is empty. The first line names the columns"),
        ("filename\tonset\toffset\n", "line 1: there is no column of label among 'filename'"),
        ("a\tb\tc\n", "line 1: 'a', 'b', 'c' are no columns of annotations"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, scores, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message):
        read_events(path, scores=scores)


def test_files_and_formats_that_are_wrong(tmp_path, scores, events):
    with pytest.raises(UnreadableError, match="does not exist"):
        read_events(tmp_path / "no.csv")
    with pytest.raises(InputError, match="has no file of annotations"):
        read_events(tmp_path)
    for name in ("dusk.txt", "dusk.csv"):
        written(tmp_path, "0.1\t0.2\tdog\n", name)
    with pytest.raises(InputError, match=r"dusk\.csv and .*dusk\.txt are both called after the recording 'dusk'"):
        read_events(tmp_path)
    with pytest.raises(InputError, match="format='midi' is unknown"):
        read_events(tmp_path / "dusk.txt", "midi")
    with pytest.raises(InputError, match=r"dusk.txt, line 1 has 2 cells. A line of Audacity"):
        read_events(written(tmp_path, "0.1\t0.2\n", "dusk.txt"))
    written(tmp_path, "dusk\xff", "latin.csv").write_bytes(b"filename,onset,offset,label\nd\xfc,1,2,dog\n")
    with pytest.raises(InputError, match=r"latin.csv is not UTF-8 text \(line 2\)"):
        read_events(tmp_path / "latin.csv")
    with pytest.raises(InputError, match="holds one recording, and these events are of 3"):
        write_events(events, tmp_path / "e.txt")
    tabbed = Events.from_rows([("dusk", 0, 1, "a\tb")])
    with pytest.raises(InputError, match="cannot stand in dcase files"):
        write_events(tabbed, tmp_path / "e.tsv")
    with pytest.raises(InputError, match=r"has the ending '\.xyz'"):
        write_events(events, tmp_path / "e.xyz")
    two = FrameScores(("dog",), {f"{s}/dusk": np.ones((50, 1), np.float32) for s in "ab"}, 0.04)
    with pytest.raises(InputError, match="line 2: 'dusk' can be 'a/dusk', 'b/dusk'"):
        read_events(written(tmp_path, HEAD + "dusk\t0\t1\tdog\n"), scores=two)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("onset\toffset\n0\t1\n", "A score table has onset, offset"),
        ("onset\toffset\tdog\n", "has no frames"),
        ("onset\toffset\tdog\n0\t1\tx\n", "has text in the column 'dog'"),
        ("onset\toffset\tdog\n0\t0.5\t\n", "has empty cells"),
        ("onset\toffset\tdog\n0\t0.1\t1\n0.2\t0.3\t1\n", "do not follow each other"),
        (
            "onset\toffset\tdog\n0\t0.1\t1\n0.1\t0.3\t1\n0.3\t0.4\t1\n",
            "line 3: the frame begins at 0.1 s, not at 0.15",
        ),
        ("onset\toffset\tcat\n0\t0.1\t1\n", "different labels"),
    ],
)
def test_score_tables_that_are_wrong(tmp_path, text, message):
    if "cat" in text:
        written(tmp_path, "onset\toffset\tdog\n0\t0.1\t1\n", "a.tsv")
    written(tmp_path, text, "b.tsv")
    with pytest.raises(InputError, match=message):
        read_scores(tmp_path)


def test_score_folders_that_are_wrong(tmp_path, scores):
    with pytest.raises(UnreadableError, match="does not exist"):
        read_scores(tmp_path / "no")
    with pytest.raises(InputError, match=r"has neither scores.json nor .tsv files"):
        read_scores(tmp_path)
    write_scores(scores, tmp_path)
    (tmp_path / "dusk.npy").write_bytes((tmp_path / "dusk.npy").read_bytes()[:300])
    with pytest.raises(UnreadableError, match=r"dusk.npy is damaged"):
        read_scores(tmp_path)
    (tmp_path / "dusk.npy").unlink()
    with pytest.raises(UnreadableError, match=r"dusk.npy is missing"):
        read_scores(tmp_path)
    for text, message in (
        ("{", "cannot be read"),
        ("{}", "no description"),
        ('{"schema": "limen.frame-scores", "schema_version": 9}', "Upgrade limen"),
        ('{"schema": "limen.frame-scores", "schema_version": 1}', "lacks labels"),
    ):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_scores(tmp_path)
    with pytest.raises(InputError, match="cannot name the columns of a score table"):
        write_scores(FrameScores(("onset",), {"a": np.ones((1, 1), np.float32)}, 1.0), tmp_path, "tsv")
