"""On a cluster of two executors, processes die, and the counts are the same bit for bit."""

import shutil
from functools import partial

import pytest

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'limen[spark]'")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java: install Java 17", allow_module_level=True)

import limen.engines.spark as spark_engine
from integration import spark_faults
from integration.spark_data import long, problem, session

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with session("local-cluster[2,1,1024]", tmp_path_factory.mktemp("spark")) as found:
        yield found


@pytest.fixture(scope="module")
def frames(cluster):
    """Weighted, so that an order of adding that changed would show; with what is counted when nothing happens."""
    p = problem(7)
    truth, scores = (frame.cache() for frame in long(cluster, p, weighted=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_engine, "PART", 200)
        expected = spark_engine.curves_of(truth, scores, sample_weight="weight")
    return truth, scores, expected


@pytest.fixture
def recounted(frames, monkeypatch):
    """A function that counts anew, and compares."""
    truth, scores, expected = frames
    monkeypatch.setattr(spark_engine, "PART", 200)

    def count():
        curves = spark_engine.curves_of(truth, scores, sample_weight="weight")
        assert curves == expected
        assert curves.digest() == expected.digest()

    return count


@pytest.mark.parametrize("when", ["cuts", "counts", "merge"])
@pytest.mark.parametrize("victim", ["worker", "executor"])
def test_a_process_is_killed_in_mid_run(recounted, monkeypatch, tmp_path, victim, when):
    killing = partial(spark_faults.killed_once, tmp_path, victim, when)
    monkeypatch.setattr(spark_engine, "summaries", killing)
    if when == "merge":
        monkeypatch.setattr(
            spark_engine, "merge_group", partial(spark_faults.merged_killed_once, tmp_path, victim)
        )
    recounted()
    assert [path.name for path in tmp_path.iterdir()] == [f"{victim} {when}"]
