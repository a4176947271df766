"""Files of two columns: read as written, or refused in words."""

import gzip

import pytest

from limen.errors import InputError, UnreadableError
from limen.files.pairs import read_pairs

NAMES = ("dog", "cat", "42", "a, b", 'say "hi"', "Katze ü")


def read(path, names=NAMES, what="share"):
    return read_pairs(path, names, what)


@pytest.fixture
def written(tmp_path):
    """A function that writes text (or bytes) to a file of a name and returns its path."""

    def write(text, name="pairs.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_second_column_by_the_first(written):
    path = written("label,share\ndog,0.25\ncat,1e-3\n")
    assert read(path) == {"dog": "0.25", "cat": "1e-3"}
    assert list(read(written("label,share\ncat,1\ndog,2\n"))) == ["cat", "dog"]


def test_text_stays_as_it_is(written):
    """Numbers are not read as numbers, and quotes, commas and letters of any kind stay."""
    path = written('name,group\n42,007\n"a, b", x \n"say ""hi""",\u00fc\nKatze \u00fc,"two\nlines"\n')
    assert read(path) == {"42": "007", "a, b": " x ", 'say "hi"': "\u00fc", "Katze \u00fc": "two\nlines"}


@pytest.mark.parametrize("name", ["pairs.csv.gz", "pairs.tsv.gz"])
def test_compressed(written, name):
    separator = "\t" if "tsv" in name else ","
    assert read(written(gzip.compress(f"label{separator}share\ndog{separator}1\n".encode()), name)) == {"dog": "1"}


def test_parquet(tmp_path):
    """Of numbers too: ids may be numbers on both sides."""
    import pandas as pd

    path = tmp_path / "pairs.parquet"
    pd.DataFrame({"label": ["dog", "cat"], "share": [0.25, 0.5]}).to_parquet(path)
    assert read(path) == {"dog": "0.25", "cat": "0.5"}
    pd.DataFrame({"id": [42], "group": [7]}).to_parquet(path)
    assert read(path) == {"42": "7"}


def test_a_file_of_a_header_alone_names_nothing(written):
    assert read(written("label,share\n")) == {}


def test_paths_may_be_text(written):
    assert read(str(written("label,share\ncat,1\n"))) == {"cat": "1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label\ndog\n", "has 1 columns. A file of share has two: a name and its share."),
        ("label,share,more\ndog,1,2\n", "has 3 columns. A file of share has two: a name and its share."),
        ("label,share\ndog,\n", "has an empty cell in row 1. Every row needs a name and its share."),
        ("label,share\ndog,1\n,2\n", "has an empty cell in row 2."),
        ("label,share\ndog,1\ncat,2\ndog,3\n", "repeats 'dog'. Every name needs one share."),
        ("label,share\nhen,1\n", "names 'hen', which the scores do not have. Check the spelling."),
        ("label,share\nDog,1\ncat ,2\n", "names 'Dog', 'cat ', which the scores do not have."),
        (b"label,share\ndog,\xff\n", "is not UTF-8 text"),
    ],
)
def test_refused(written, text, words):
    path = written(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_what_is_not_there(tmp_path):
    path = tmp_path / "missing.csv"
    with pytest.raises(UnreadableError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} does not exist. Check the path; it is relative to ")
    with pytest.raises(UnreadableError, match="does not exist"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["pairs.json", "pairs.txt", "pairs", "pairs.npy"])
def test_other_endings(written, name):
    with pytest.raises(InputError) as caught:
        read(written("label,share\ndog,1\n", name))
    ending = name[len("pairs") :]
    assert f"has the ending {ending!r}. A file of share is .csv, .tsv or .parquet." in str(caught.value)


@pytest.mark.parametrize("name", ["pairs.csv.gz", "pairs.parquet"])
def test_damaged_files(written, name):
    with pytest.raises(UnreadableError, match="damaged, cut short or of another format"):
        read(written(b"\x1f\x8b\x08\x00 no such thing", name))
