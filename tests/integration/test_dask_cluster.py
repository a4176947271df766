"""On a cluster of worker processes: the same bits, whatever dies, fails or comes in another order."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import limen
from limen.data import as_data
from limen.errors import InputError
from limen.shards import count_shard

dask = pytest.importorskip("dask", reason="dask is not installed: pip install limen[dask]")
distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install limen[dask]")
import dask.array as da  # noqa: E402

from limen.engines.dask import curves_of  # noqa: E402

pytestmark = pytest.mark.xdist_group("processes")
ROWS, LABELS, BLOCK = 2000, 6, 100


@pytest.fixture(scope="module")
def client():
    """Two worker processes, each with one thread; a nanny starts another where one dies."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="1GB", dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def problem():
    rng = np.random.default_rng(0)
    y_score = rng.random((ROWS, LABELS)).round(3).astype(np.float32)
    y_true = (rng.random(y_score.shape) < 0.2 * y_score).astype(np.int8)
    y_true[:, 0] = rng.random(ROWS) < 0.6  # half of all positives
    return y_true, y_score


def in_memory(y_true, y_score, **given):
    return count_shard(as_data(y_true, y_score, **given))


def blocks(array, rows=BLOCK):
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


class Reading:
    """Reads a block, and on some readings of some blocks has something happen, once each."""

    def __init__(self, folder, what, at):
        self.folder, self.what, self.at = Path(folder), what, at

    def __call__(self, block, block_info=None):
        number = block_info[0]["chunk-location"][0] if block_info else -1
        time.sleep(0.002)
        for reading in self.at.get(number, ()):
            try:
                (self.folder / f"block {number} reading {reading}").touch(exist_ok=False)
            except FileExistsError:
                continue
            if "quiet" not in reading:
                self.what()
            break
        return block

    def happened(self):
        return len([path for path in self.folder.iterdir() if "quiet" not in path.name])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise OSError("the disk did not answer")


def dawdle():
    time.sleep(0.4)


def test_a_cluster_gives_the_bits_of_memory(client):
    y_true, y_score = problem()
    weight = np.random.default_rng(1).integers(0, 9, ROWS) / 8
    for rows in (333, (0, 1, 999, 0, 1000)):
        truth, scores = blocks(y_true, rows), blocks(y_score, rows)
        assert curves_of(truth, scores) == in_memory(y_true, y_score)
        assert curves_of(truth, scores, sample_weight=weight) == in_memory(y_true, y_score, sample_weight=weight)


def test_workers_that_die_in_both_passes_change_nothing(client, tmp_path):
    """Block 7 is read once in each pass, and again after each death."""
    y_true, y_score = problem()
    weight = np.random.default_rng(2).lognormal(0, 3, ROWS)
    undisturbed = curves_of(blocks(y_true), blocks(y_score), sample_weight=weight)
    pids = set(client.run(os.getpid).values())
    reading = Reading(tmp_path, die, {7: ("first", "quiet", "later"), 13: ("first",)})
    scores = blocks(y_score).map_blocks(reading, dtype=y_score.dtype)
    assert curves_of(blocks(y_true), scores, sample_weight=weight) == undisturbed
    assert reading.happened() == 3
    client.wait_for_workers(2, timeout=30)
    assert set(client.run(os.getpid).values()) != pids


def test_a_worker_killed_from_outside_changes_nothing(client, tmp_path):
    y_true, y_score = problem()
    scores = blocks(y_score, 20).map_blocks(Reading(tmp_path, dawdle, {}), dtype=y_score.dtype)
    pids = list(client.run(os.getpid).values())
    found = []
    run = threading.Thread(target=lambda: found.append(limen.tune(blocks(y_true, 20), scores, method="exact")))
    run.start()
    time.sleep(0.3)
    assert run.is_alive()
    os.kill(pids[0], signal.SIGKILL)
    run.join(60)
    assert np.array_equal(found[0].values, limen.tune(y_true, y_score, method="exact").values)
    client.wait_for_workers(2, timeout=30)


def test_the_default_method_and_a_worker_that_dies_in_the_third_pass(client, tmp_path):
    """The thresholds of the default method lie between candidates, and are counted there."""
    y_true, y_score = problem()
    reading = Reading(tmp_path, die, {4: ("quiet", "quiet too", "third")})
    scores = blocks(y_score).map_blocks(reading, dtype=y_score.dtype)
    expected = limen.tune(y_true, y_score)
    found = limen.tune(blocks(y_true), scores)
    assert reading.happened() == 1
    assert np.array_equal(found.values, expected.values)
    assert all(map(np.array_equal, found.counts, expected.counts))
    client.wait_for_workers(2, timeout=30)


def test_readings_that_fail_are_tried_again_if_the_user_asks(client, tmp_path):
    y_true, y_score = problem()
    reading = Reading(tmp_path, fail, {3: ("first", "quiet", "later"), 11: ("first",)})
    scores = blocks(y_score).map_blocks(reading, dtype=y_score.dtype)
    with dask.annotate(retries=3):
        found = curves_of(blocks(y_true), scores)
    assert found == in_memory(y_true, y_score)
    assert reading.happened() == 3


def test_the_order_in_which_parts_arrive_changes_no_bit(client, tmp_path):
    y_true, y_score = problem()
    weight = np.random.default_rng(3).lognormal(0, 3, ROWS)
    undisturbed = curves_of(blocks(y_true), blocks(y_score), sample_weight=weight)
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        late = np.random.default_rng(attempt).choice(ROWS // BLOCK, 3, replace=False)
        reading = Reading(folder, dawdle, {int(k): ("first",) for k in late})
        scores = blocks(y_score).map_blocks(reading, dtype=y_score.dtype)
        assert curves_of(blocks(y_true), scores, sample_weight=weight) == undisturbed
        assert reading.happened() == 3


def test_an_error_on_a_worker_is_limens_own(client):
    y_true, y_score = problem()
    y_score[1234, 2] = np.inf
    with pytest.raises(
        InputError, match=r"^y_score has an infinite value in 1 of 6 labels \(first: '2', row 1234\)"
    ):
        limen.tune(blocks(y_true), blocks(y_score))


def test_frames_and_decisions_on_a_cluster(client):
    import dask.dataframe as dd
    import pandas as pd

    y_true, y_score = problem()
    names = [f"label {k}" for k in range(LABELS)]
    ids = [f"clip {k}" for k in range(ROWS)]
    weight = np.random.default_rng(4).lognormal(0, 3, ROWS)
    truth, scores = (pd.DataFrame(values, ids, names).rename_axis("id") for values in (y_true, y_score))
    expected = limen.tune(y_true, y_score, labels=names, method="exact")
    moved = dd.from_pandas(truth.reset_index().sample(frac=1, random_state=0), npartitions=3, sort=False)
    held = dd.from_pandas(scores.reset_index(), npartitions=4, sort=False)
    found = limen.tune(moved, held, method="exact")
    assert np.array_equal(found.values, expected.values)
    first = curves_of(moved, held, sample_weight=weight)
    assert curves_of(moved, held, sample_weight=weight) == first
    assert np.array_equal(found.decide(held)[names].compute(), expected.decide(y_score))
    assert np.array_equal(found.decide(blocks(y_score)).compute(), expected.decide(y_score))
