"""The parts of the documentation that make pages from the source; building it runs every page."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.files.reading import read_table
from limen.metrics import get
from limen.solvers import SurrogateGradient, choose
from limen.states import STATES

pytest.importorskip("sphinx", reason="the documentation needs sphinx: pip install 'limen[docs]'")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from command_line import helps  # noqa: E402
from error_index import CLOSE, OPEN, Message, messages  # noqa: E402
from shell_cells import is_sentences  # noqa: E402

Y, S = np.array([[0], [1]]), np.array([[0.2], [0.8]])

ERRORS: dict[str, Callable[[], object]] = {
    "one f-string": lambda: get({"name": "fbeta", "beta": -1}),
    "implicit concatenation": lambda: limen.tune(Y, [[np.nan], [0.8]]),
    "a choice within": lambda: limen.tune(Y, S, average="binary"),
    "a local name": lambda: SurrogateGradient(epochs=0),
    "of a subclass": lambda: read_table("none.csv", kind="scores"),
    "a function that returns text": lambda: read_table("header.csv", kind="scores"),
    "a function that returns the exception": lambda: limen.tune(Y, S).save("folder"),
    "with a constant of the module": lambda: read_table("scores.txt", kind="scores"),
    "of a solver": lambda: choose(method="fixed:x"),
    "of the frontier": lambda: limen.frontier(Y, S).thresholds(7),
}


@pytest.fixture(scope="module")
def found() -> list[Message]:
    return messages(ROOT / "src" / "limen")


@pytest.mark.parametrize("raises", ERRORS.values(), ids=ERRORS)
def test_error_index_has_the_message(
    raises: Callable[[], object], found: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("header.csv").write_text("id,dog\n")
    Path("scores.txt").write_text("x")
    with pytest.raises(limen.LimenError) as raised:
        raises()
    shown = f"{OPEN}[^{CLOSE}]*{CLOSE}"
    fitting = [
        message
        for message in found
        if re.fullmatch(".*?".join(map(re.escape, re.split(shown, message.text))), str(raised.value), re.DOTALL)
    ]
    closest = max(fitting, key=lambda message: len(re.sub(shown, "", message.text)))
    assert closest.kind == type(raised.value).__name__
    assert len(re.sub(shown, "", closest.text)) > 0.5 * len(str(raised.value))


def test_error_index_has_warnings(found: list[Message]) -> None:
    assert any(message.kind == "LimenWarning" and "without a positive item" in message.text for message in found)


def test_error_index_ends_where_a_text_is_made_of_itself(tmp_path: Path) -> None:
    (tmp_path / "limen").mkdir()
    (tmp_path / "limen" / "module.py").write_text(
        "def f(n):\n    text = f'{n} is too many here'\n    text = f'{text}, by far'\n    raise InputError(text)\n"
        "class InputError(LimenError): ...\n"
    )
    texts = [message.text for message in messages(tmp_path / "limen")]
    assert "\u2039\u2026\u203a is too many here" in texts


def test_every_command_has_its_help() -> None:
    shown = dict(helps())
    assert {"limen tune", "limen apply", "limen demo"} <= set(shown)
    assert all(text.startswith(f"Usage: {name} ") for name, text in shown.items())


def test_only_sentences_are_wrapped() -> None:
    sentence = "Evaluation(16 labels; micro F1 83.4 % (95 % 82.7 to 84.1), measured on 2 000 items)"
    assert is_sentences(f"{sentence}\n{sentence}")
    assert is_sentences("True")
    assert not is_sentences("method   held-out\nauto       83.5 %")
    assert not is_sentences("clip0000,0.7504,0.9008,0.1028,0.8871,0.0449")
    assert not is_sentences("SELECT\n  s.id,")
    assert not is_sentences(f"{sentence}\n\n label  tp\n -----  --")


def test_no_code_block_is_left_out_of_the_build() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if "adr" not in page.parts]
    assert len(pages) > 20
    idle = [page.name for page in pages if re.search(r"^```(python|py|bash|sh|console)\b", page.read_text(), re.M)]
    assert idle == []


def test_states_of_labels_stand_in_the_words_of_the_library() -> None:
    page = (ROOT / "docs" / "tasks" / "look.md").read_text()
    for state in STATES.values():
        assert f"| {state.words} |" in page


def test_notebooks_are_stored_without_outputs() -> None:
    import json

    for path in (ROOT / "docs").rglob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
