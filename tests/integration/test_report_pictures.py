"""The page looks as it did: its parts against stored pictures, and proof that a spoilt page is noticed.

Pictures that changed on purpose are renewed by ``python -m integration.report_pictures`` (see there),
then looked at.
"""

import pytest
from PIL import Image

from integration.report_pictures import FOLDER, PICTURES, page_of_pictures, stored, taken, unlike

SPOILT = {
    "a column is gone": (
        "table light",
        "for (const one of document.querySelectorAll('#table-body .cell-recall')) one.style.visibility = 'hidden'",
    ),
    "names are gone": (
        "table 360",
        "for (const cell of document.querySelectorAll('.name')) cell.style.visibility = 'hidden'",
    ),
    "parts overlap": (
        "table light",
        "for (const cell of document.querySelectorAll('.cell-threshold')) {"
        "cell.style.position = 'relative'; cell.style.left = '-180px'; cell.style.zIndex = 2; }",
    ),
    "a colour changed": (
        "label light",
        "document.documentElement.style.setProperty('--positive', '#b00020');"
        "document.querySelector('#themes button').click()",
    ),
    "the row shown is not marked": (
        "table light",
        "document.documentElement.style.setProperty('--soft', '#ffffff')",
    ),
    "charts are empty": (
        "label more",
        "for (const chart of document.querySelectorAll('canvas')) chart.style.visibility = 'hidden'",
    ),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return page_of_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("name", PICTURES)
def test_the_page_looks_as_it_did(chrome, path, name):
    assert unlike(taken(chrome, path, name), Image.open(stored(name))) == {}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_page_is_noticed(chrome, path, how):
    name, script = SPOILT[how]
    assert unlike(taken(chrome, path, name, script), Image.open(stored(name))) != {}


@pytest.mark.parametrize("name", ["table light", "label light", "overview light"])
def test_another_face_of_letters_is_no_difference(chrome, path, name):
    letters = "document.body.style.fontFamily = 'DejaVu Serif, serif'"
    assert unlike(taken(chrome, path, name, letters), Image.open(stored(name))) == {}


def test_stored_pictures_are_those_compared_and_small():
    assert {one.name for one in FOLDER.iterdir()} == {stored(name).name for name in PICTURES}
    assert max(one.stat().st_size for one in FOLDER.iterdir()) <= 48_000
