"""`limen report` on files."""

import pytest
from click.testing import CliRunner

import limen
from integration.report_page import content
from limen.cli.report import report_
from limen.errors import InputError


def run(folder, *arguments):
    result = CliRunner().invoke(report_, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_scores_and_labels_alone(folder):
    output = folder / "r.html"
    said = run(folder, folder / "scores.csv", folder / "tags.tsv", "-o", output, "--cv", 2, "--methods", "shared")
    assert output.resolve().as_uri() in said.replace("\n", "")
    found = content(output)
    assert found["file"]["original"]["method"] == "auto"
    assert [row["method"] for row in found["comparison"]["rows"]].count("auto") == 1
    assert found["review"]["ids"][0].startswith("clip ")


def test_with_thresholds_a_title_and_no_comparison(folder, data):
    y_true, y_score, labels = data
    thresholds = limen.tune(y_true, y_score, labels=labels, method="exact")
    thresholds.save(folder / "t.json")
    output = folder / "r.html"
    arguments = (folder / "scores.csv", folder / "labels.csv", folder / "t.json", "-o", output, "--no-compare")
    run(folder, *arguments, "--title", "Birds <3")
    found = content(output)
    assert found["title"] == "Birds <3"
    assert "<title>Birds &lt;3</title>" in output.read_text()
    assert tuple(found["labels"]) == thresholds.labels
    assert found["comparison"]["rows"] == []
    assert found["file"]["original"]["value"] == thresholds.value


def test_one_number_and_another_metric(folder):
    output = folder / "r.html"
    files = (folder / "scores.csv", folder / "labels.csv")
    run(
        folder,
        *files,
        "0.4",
        "-o",
        output,
        "--no-compare",
        "--metric",
        "fbeta",
        "--beta",
        "2",
        "--average",
        "macro",
    )
    found = content(output)
    assert found["objective"]["metric"]["title"] == "F2"
    assert found["objective"]["average"] == "macro"
    assert found["file"]["original"]["method"] == "fixed:0.4"


def test_beta_without_its_metric(folder):
    with pytest.raises(InputError, match=r"--beta and --costs belong to a metric\. Name it"):
        run(folder, folder / "scores.csv", folder / "labels.csv", "--beta", "2")
