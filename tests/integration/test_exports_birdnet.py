"""BirdNET: species lists as its own package reads them, and detections as BirdNET-Analyzer writes them."""

import csv
import warnings
from dataclasses import replace

import numpy as np
import pytest

from limen.errors import FileError, InputError, LimenWarning, UnreadableError
from limen.exports.birdnet import (
    Filtered,
    confidences,
    filter_detections,
    write_confidences,
    write_species_list,
)
from strategies import SCORE_DTYPES
from strategies import thresholds_at as one

BLACKBIRD, ROBIN = "Turdus merula_Eurasian Blackbird", "Erithacus rubecula_European Robin"
TIT, ENGINE, OWL = "Parus major_Great Tit", "Engine_Engine", "Strix aluco_Tawny Owl"
MODEL = (OWL, BLACKBIRD, ENGINE, ROBIN, TIT)


T = one([0.5, 0.25, np.inf, 0.1], (BLACKBIRD, ROBIN, TIT, ENGINE))


@pytest.fixture
def labels_file(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{name}\n" for name in MODEL), encoding="utf-8")
    return path


@pytest.fixture
def birdnet():
    return pytest.importorskip("birdnet.acoustic.inference.configs").PredictionConfig


class TestSpecies:
    def test_birdnet_reads_the_species_list(self, birdnet, tmp_path):
        path = tmp_path / "species_list.txt"
        assert write_species_list(T, path) == 3
        assert path.read_bytes() == f"{BLACKBIRD}\n{ROBIN}\n{ENGINE}\n".encode()
        assert birdnet.validate_custom_species_list(path, MODEL) == {BLACKBIRD, ROBIN, ENGINE}

    def test_birdnet_takes_the_confidences(self, birdnet):
        found = confidences(T)
        assert found == {BLACKBIRD: 0.5, ROBIN: 0.25, ENGINE: 0.1}
        assert birdnet.validate_custom_confidence_thresholds(found, MODEL) == found

    def test_names_are_completed_from_the_labels_file(self, birdnet, labels_file, tmp_path):
        t = one([0.5, 0.25, 0.1, np.inf], ("Turdus merula", "European Robin", "Engine", "Parus major_Kohlmeise"))
        found = confidences(t, labels_file=labels_file)
        assert found == {BLACKBIRD: 0.5, ROBIN: 0.25, ENGINE: 0.1}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_species_list(t, tmp_path / "list.txt", labels_file=labels_file)
        assert birdnet.validate_custom_species_list(tmp_path / "list.txt", MODEL) == set(found)

    def test_half_names_without_a_labels_file_are_pointed_out(self, tmp_path):
        t = one([0.5, 0.5, 0.5], ("Turdus merula", BLACKBIRD, "Noise"))
        with pytest.warns(
            LimenWarning, match="labels lack one of the names .*: 'Turdus merula', 'Noise'. BirdNET"
        ):
            write_species_list(t, tmp_path / "list.txt")
        assert (tmp_path / "list.txt").read_text() == f"Turdus merula\n{BLACKBIRD}\nNoise\n"

    @pytest.mark.parametrize("dtype", SCORE_DTYPES)
    def test_the_table_of_confidences_reads_back_exactly(self, tmp_path, dtype):
        values = np.array([0.1, 1 / 3, np.finfo(dtype).min, np.inf], dtype)
        labels = (BLACKBIRD, "Noise", 'Corvus "corax"_Raven, Common', TIT)
        assert write_confidences(one(values, labels, dtype), tmp_path / "c.csv") == 3
        with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["scientific_name", "common_name", "confidence"]
        assert [row[:2] for row in rows[1:]] == [
            ["Turdus merula", "Eurasian Blackbird"],
            ["Noise", "Noise"],
            ['Corvus "corax"', "Raven, Common"],
        ]
        np.testing.assert_array_equal([float(row[2]) for row in rows[1:]], values[:3].astype(float))

    def test_labels_that_are_not_in_the_labels_file(self, labels_file, tmp_path):
        message = r"labels.txt does not have 'Corvus corax', 'turdus merula'. Give the labels file of the model"
        with pytest.raises(InputError, match=message):
            confidences(one([0.5] * 3, (OWL, "Corvus corax", "turdus merula")), labels_file=labels_file)
        message = f"the labels 'Turdus merula', 'Eurasian Blackbird' are both '{BLACKBIRD}' of .*labels.txt. Every"
        with pytest.raises(InputError, match=message):
            confidences(one([0.5] * 2, ("Turdus merula", "Eurasian Blackbird")), labels_file=labels_file)
        labels_file.write_text("Parus major_song\nParus major_call\n")
        with pytest.raises(
            InputError, match="'Parus major' may be any of 'Parus major_call', 'Parus major_song' of"
        ):
            confidences(one([0.5], ["Parus major"]), labels_file=labels_file)
        assert confidences(one([0.5], ["Parus major_call"]), labels_file=labels_file) == {"Parus major_call": 0.5}

    def test_labels_files_that_cannot_be_read(self, tmp_path):
        with pytest.raises(UnreadableError, match=r"cannot read .*nowhere.txt: No such file or directory. Check"):
            confidences(T, labels_file=tmp_path / "nowhere.txt")
        (tmp_path / "latin.txt").write_bytes(b"\xc9")
        with pytest.raises(InputError, match=r"latin.txt is not UTF-8 text. It should have one name"):
            confidences(T, labels_file=tmp_path / "latin.txt")

    def test_lists_that_birdnet_would_misread(self, tmp_path):
        path = tmp_path / "list.txt"
        path.write_text("old")
        with pytest.raises(
            InputError, match=r"no label is ever given. BirdNET takes an empty species list as all"
        ):
            write_species_list(one([np.inf], [TIT]), path)
        for name in ("a\nb", "a\u2028b", " a", ""):
            with pytest.raises(InputError, match=r"cannot stand in a species list, which has one name a line"):
                write_species_list(one([0.5, 0.5], (TIT, name)), path)
        assert path.read_text() == "old"
        with pytest.raises(FileError, match="is no folder"):
            write_species_list(T, tmp_path / "nowhere" / "list.txt")
        with pytest.raises(FileError, match="is no folder"):
            write_confidences(T, tmp_path / "nowhere" / "c.csv")


CSV = "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\t"
    "Species Code\tConfidence\tBegin Path\tFile Offset (s)\n"
)
KALEIDOSCOPE = (
    "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat,lon,week,overlap,"
    "sensitivity\n"
)
PACKAGE = "input,start_time,end_time,species_name,confidence\n"


def csv_line(i, name, confidence):
    scientific, common = name.split("_")
    return f"{3 * i}.0,{3 * i + 3}.0,{scientific},{common},{confidence:.4f},/data/a, b.wav\n"


def raven_line(i, name, confidence):
    common = name.split("_")[1]
    return f'{i}\tSpectrogram 1\t1\t0.0\t3.0\t0\t15000\t{common}\teurbla\t{confidence:.4f}\t/data/"a".wav\t0.0\n'


def kaleidoscope_line(i, name, confidence):
    scientific, common = name.split("_")
    return f"data,a,b.wav,{i}.0,3.0,{scientific},{common},{confidence:.4f},-1.0,-1.0,-1,0.0,1.0\n"


def package_line(i, name, confidence):
    return f'"/data/a.wav","00:00:0{i % 9}.00","00:00:09.00","{name}",{confidence:.6f}\n'


def newer_raven_line(i, name, confidence):
    scientific, common = name.split("_")
    return (
        f"{i}\t0.0\t3.0\t{common}\t{scientific}\teurbla\t{confidence}\tSpectrogram 1\t1\t0.0\t0\t15000\t/a.wav\n"
    )


def newer_kaleidoscope_line(i, name, confidence):
    return f"{i}.0,{confidence},data,a,b.wav,3.0,{name.split('_')[1]}\n"


FORMS = {
    "csv": (CSV, csv_line),
    "raven": (RAVEN, raven_line),
    "newer raven": (
        "Selection\tBegin Time (s)\tEnd Time (s)\tCommon Name\tScientific Name\tSpecies Code\tConfidence\tView\t"
        "Channel\tFile Offset (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin Path\n",
        newer_raven_line,
    ),
    "kaleidoscope": (KALEIDOSCOPE, kaleidoscope_line),
    "newer kaleidoscope": ("OFFSET,confidence,INDIR,FOLDER,IN FILE,DURATION,TOP1MATCH\n", newer_kaleidoscope_line),
    "kaleidoscope's names": (
        "OFFSET,TOP1DIST,INDIR,FOLDER,IN FILE,DURATION,TOP1MATCH\n",
        newer_kaleidoscope_line,
    ),
    "audacity": ("", lambda i, name, confidence: f"{i}.0\t{i + 3}.0\t{name}\t{confidence}\n"),
    "older audacity": (
        "",
        lambda i, name, confidence: f"{i}.0\t{i + 3}.0\t{name.replace('_', ', ')}\t{confidence:.4f}\n",
    ),
    "package": (PACKAGE, package_line),
}
SCORES = np.random.default_rng(0).choice([0.0999, 0.1, 0.1001, 0.2499, 0.25, 0.4999, 0.5, 0.9], (30, 4))


class TestDetections:
    @pytest.mark.parametrize("form", FORMS)
    def test_the_lines_that_pass_are_kept_as_they_stand(self, form, tmp_path):
        header, line = FORMS[form]
        kept = T.decide(SCORES)
        found = [(line(i, T.labels[k], SCORES[i, k]), kept[i, k]) for i in range(30) for k in range(4)]
        text = header + "".join(row for row, _ in found)
        (tmp_path / "in.txt").write_text(text)
        expected = header + "".join(row for row, passes in found if passes)
        assert filter_detections(tmp_path / "in.txt", T, tmp_path / "out.txt") == Filtered(120, kept.sum(), ())
        assert (tmp_path / "out.txt").read_text() == expected
        assert (tmp_path / "in.txt").read_text() == text
        # In place, a second time: nothing more goes.
        assert filter_detections(tmp_path / "out.txt", T, tmp_path / "out.txt").kept == kept.sum()
        assert (tmp_path / "out.txt").read_text() == expected

    @pytest.mark.parametrize("form", ["analyzer", "package"])
    def test_rows_of_parquet(self, form, tmp_path):
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        t = replace(T, values=T.values.astype(np.float32))
        scores = SCORES.astype(np.float32)
        names = [name for _ in scores for name in T.labels]
        columns = {"species_name": pa.array(names).dictionary_encode(), "confidence": scores.ravel()}
        if form == "analyzer":
            both = [name.split("_") for name in names]
            columns = {"Scientific name": [one[0] for one in both], "Common name": [one[1] for one in both]}
            columns |= {"Confidence": scores.ravel(), 'the "file"': ["it's a.wav"] * len(names)}
        table = pa.table(columns).replace_schema_metadata({"model_path": "it's", "n": "3"})
        source, target = tmp_path / "in[1]?.parquet", tmp_path / "out.parquet"
        pq.write_table(table, source)
        kept = t.decide(scores)
        assert filter_detections(source, t, target) == Filtered(120, kept.sum(), ())
        assert pq.read_table(target).to_pydict() == table.filter(kept.ravel()).to_pydict()
        assert pq.read_schema(target).metadata == table.schema.metadata
        assert pq.read_table(source).equals(table)
        assert filter_detections(target, t, target).kept == kept.sum()
        never = replace(t, values=np.full(4, np.inf))
        assert filter_detections(target, never, target) == Filtered(kept.sum(), 0, ())
        assert pq.read_table(target).num_rows == 0

    def test_a_confidence_that_is_missing_in_parquet(self, tmp_path):
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"species_name": [ROBIN, ROBIN], "confidence": [0.5, None]}), tmp_path / "in")
        with pytest.raises(InputError, match=r"row 2 of .*in has the confidence None. It must be a number"):
            filter_detections(tmp_path / "in", T, tmp_path / "out")

    def test_audacity_labels_of_silence_are_empty(self, tmp_path):
        (tmp_path / "in.txt").touch()
        assert filter_detections(tmp_path / "in.txt", T, tmp_path / "out.txt") == Filtered(0, 0, ())
        assert (tmp_path / "out.txt").read_bytes() == b""

    def test_line_ends_marks_and_quoted_cells_are_kept(self, tmp_path):
        text = '\ufeff"Scientific name","Confidence"\r\n"Turdus\nmerula",0.6\r\n\r\nTurdus\nmerula,0.4'
        text = text.replace("\r\nTurdus\nmerula", '\r\n"Turdus\nmerula"')
        (tmp_path / "in.csv").write_bytes(text.encode())
        assert (
            filter_detections(tmp_path / "in.csv", one([0.5], ["Turdus\nmerula"]), tmp_path / "out.csv").kept == 1
        )
        assert (tmp_path / "out.csv").read_bytes() == text.rpartition("\r\n")[0].encode() + b"\r\n"

    @pytest.mark.parametrize("dtype", SCORE_DTYPES)
    def test_numbers_are_read_in_the_dtype_of_the_scores(self, dtype, tmp_path):
        # 0.1 in 32 bits is above 0.1 in 64: a threshold at a score of 0.1 must keep "0.1000".
        written = [f"{k / 1000:.4f}" for k in range(1, 1000, 7)]
        labels = [f"Species {k}_x{k}" for k in range(len(written))]
        t = one(np.array(written, dtype), labels, dtype)
        rows = [csv_line(0, name, float(number)) for name, number in zip(labels, written, strict=True)]
        (tmp_path / "in.csv").write_text(CSV + "".join(rows))
        assert filter_detections(tmp_path / "in.csv", t, tmp_path / "out.csv").kept == len(written)
        above = replace(t, values=np.nextafter(t.values, dtype(1)))
        assert filter_detections(tmp_path / "in.csv", above, tmp_path / "out.csv").kept == 0

    @pytest.mark.parametrize(
        "labels",
        [
            (BLACKBIRD, ROBIN),
            ("Turdus merula", "Erithacus rubecula"),
            ("Eurasian Blackbird", "European Robin"),
            ("Turdus merula_Amsel", "European Robin"),
        ],
    )
    def test_species_are_found_by_either_name(self, labels, tmp_path):
        rows = [csv_line(0, BLACKBIRD, 0.5), csv_line(0, BLACKBIRD, 0.3), csv_line(0, ROBIN, 0.3)]
        (tmp_path / "in.csv").write_text(CSV + "".join(rows))
        filter_detections(tmp_path / "in.csv", one([0.5, 0.25], labels), tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == CSV + rows[0] + rows[2]

    def test_calls_of_one_species_are_told_apart(self, tmp_path):
        t = one([0.5, 0.25], ("Parus major_song", "Parus major_call"))
        rows = [csv_line(0, "Parus major_song", 0.3), csv_line(0, "Parus major_call", 0.3)]
        (tmp_path / "in.csv").write_text(CSV + "".join(rows))
        filter_detections(tmp_path / "in.csv", t, tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == CSV + rows[1]
        (tmp_path / "in.csv").write_text(CSV + csv_line(0, "Parus major_alarm", 0.3))
        message = "'Parus major_alarm' may be any of 'Parus major_call', 'Parus major_song' of the thresholds"
        with pytest.raises(InputError, match=message):
            filter_detections(tmp_path / "in.csv", t, tmp_path / "out.csv")

    def test_a_common_name_of_another_species_does_not_count(self, tmp_path):
        (tmp_path / "in.csv").write_text(CSV + csv_line(0, "Turdus migratorius_Robin", 0.9))
        with pytest.raises(InputError, match="has 'Turdus migratorius_Robin', for which there is no threshold"):
            filter_detections(tmp_path / "in.csv", one([0.5], ["Erithacus rubecula_Robin"]), tmp_path / "out.csv")

    def test_a_selection_table_needs_common_names(self, labels_file, tmp_path):
        t = one([0.5], ["Turdus merula"])
        (tmp_path / "in.txt").write_text(RAVEN + raven_line(1, BLACKBIRD, 0.6) + raven_line(2, BLACKBIRD, 0.4))
        with pytest.raises(
            InputError, match=r"'Eurasian Blackbird', for which there is no .* or give labels_file"
        ):
            filter_detections(tmp_path / "in.txt", t, tmp_path / "out.txt")
        filter_detections(tmp_path / "in.txt", t, tmp_path / "out.txt", labels_file=labels_file)
        assert (tmp_path / "out.txt").read_text() == RAVEN + raven_line(1, BLACKBIRD, 0.6)

    def test_a_table_without_detections_stays_one(self, tmp_path):
        nothing = "1\tSpectrogram 1\t1\t0\t3\t0\t15000\tnocall\tnocall\t1.0\t/data/a.wav\t0\n"
        (tmp_path / "in.txt").write_text(RAVEN + nothing)
        assert filter_detections(tmp_path / "in.txt", T, tmp_path / "out.txt") == Filtered(0, 0, ())
        assert (tmp_path / "out.txt").read_text() == RAVEN + nothing

    def test_species_without_threshold(self, tmp_path):
        rows = [csv_line(0, OWL, 0.01), csv_line(0, BLACKBIRD, 0.6), csv_line(0, OWL, 0.9), csv_line(0, TIT, 0.9)]
        (tmp_path / "in.csv").write_text(CSV + "".join(rows))
        (tmp_path / "out.csv").write_text("old")
        message = "in.csv has 'Strix aluco_Tawny Owl', for which there is no threshold. Keep or drop them with"
        with pytest.raises(InputError, match=message):
            filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == "old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]
        found = filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv", unknown="keep")
        assert found == Filtered(4, 3, (OWL,))
        assert (tmp_path / "out.csv").read_text() == CSV + "".join(rows[:3])
        found = filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv", unknown="drop")
        assert found == Filtered(4, 1, (OWL,))
        assert (tmp_path / "out.csv").read_text() == CSV + rows[1]
        with pytest.raises(InputError, match=r"unknown is 'ask'. It must be"):
            filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv", unknown="ask")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "in.csv has the columns none. Detections of BirdNET have Confidence or TOP1DIST, and Scientific"),
            ("0.0\t3.0\tTurdus merula\n", "has the columns '0.0', '3.0', 'Turdus merula'"),
            (
                "0.0\t3.0\tTurdus merula, Blackbird\t0.9\n3.0\t6.0\n",
                "line 2 of .*in.csv has 2 cells, fewer than the first line",
            ),
            ("PAR1" + CSV, "in.csv is damaged or cut short: .*Write it again."),
            ("Common name,Score\n", "has the columns 'Common name', 'Score'"),
            ("File,Confidence\n", "has the columns 'File', 'Confidence'"),
            (
                CSV + csv_line(0, ROBIN, 0.5) + "0.0,3.0,Turdus merula\n",
                "line 3 of .*in.csv has 3 cells, fewer than",
            ),
            (
                CSV + "0,3,Turdus merula,Blackbird,high,a\n",
                "line 2 of .*in.csv has the confidence 'high'. It must be",
            ),
            (CSV + "0,3,Turdus merula,Blackbird,nan,a\n", "has the confidence 'nan'. It must be a number"),
            (CSV + "0,3,Turdus merula,Blackbird,,a\n", "has the confidence ''"),
            (CSV + "0,3,Turdus merula,Blackbird,1_0,a\n", "has the confidence '1_0'. It must be a number"),
            (
                CSV + "0,3,Turdus merula,Blackbird,0.8\n",
                "line 2 of .*in.csv has 5 cells, fewer than the first line",
            ),
            (
                CSV + '"0,3,Turdus merula,Blackbird,0.8,"a"\n',
                "in.csv is no table of detections: ',' expected after",
            ),
            (CSV + "\xc9\n", "in.csv is no table of detections: it is not UTF-8 text."),
            (CSV + "a" * 200_000 + "\n", "in.csv is no table of detections: field larger than field limit"),
        ],
    )
    def test_broken_files(self, text, message, tmp_path):
        (tmp_path / "in.csv").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=message):
            filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv")
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]

    def test_missing_files_and_folders(self, tmp_path):
        with pytest.raises(
            UnreadableError, match=r"cannot read .*in.csv: No such file or directory. Check the path"
        ):
            filter_detections(tmp_path / "in.csv", T, tmp_path / "out.csv")
        (tmp_path / "in.csv").write_text(CSV)
        with pytest.raises(FileError, match="is no folder"):
            filter_detections(tmp_path / "in.csv", T, tmp_path / "nowhere" / "out.csv")


def test_a_quote_still_open_at_the_end_is_refused(tmp_path):
    """Else every line after it would be taken for its text."""
    rows = ["Start (s),End (s),Scientific name,Common name,Confidence", "0,3,Turdus merula,Eurasian Blackbird,0.9"]
    rows += ['3,6,Turdus merula,Eurasian Blackbird,0.8,"open', "6,9,Turdus merula,Eurasian Blackbird,0.7"]
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3 of .*in\.csv opens a quotation mark that is never closed"):
        filter_detections(source, T, output)
    assert not output.exists()
    source.write_text("\n".join([*rows, '9,12",Turdus merula,Eurasian Blackbird,0.6']), encoding="utf-8")
    filter_detections(source, T, output)
    assert output.read_text(encoding="utf-8") == source.read_text(encoding="utf-8")
