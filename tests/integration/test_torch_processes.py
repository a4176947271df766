"""CurveAccumulator and trained thresholds in two real processes that talk through gloo."""

import pickle

import numpy as np
import pytest

import limen
from limen import Curves
from limen.datasets import spoken_tags
from strategies import smooth_data

torch = pytest.importorskip("torch", reason="torch is not installed")

import torch.distributed as dist  # noqa: E402
from torch.multiprocessing import spawn  # noqa: E402

from limen.torch import CurveAccumulator, MetricLoss, ThresholdLayer  # noqa: E402

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo")
N_PROCESSES = 2
LABELS = ("a", "b", "c")


def problem_of(unknown=False):
    problem = smooth_data(0, n_items=61, dtype=np.float32)
    y_true = problem.y_true.copy()
    if unknown:
        y_true[::7, 1] = np.nan
    return y_true, problem.y_score, np.random.default_rng(0).integers(0, 9, 61) / 4


def accumulated(rows, size=9, *, weighted=False, indexed=False, labels=LABELS, unknown=False, dtype=np.float32):
    y_true, y_score, weight = problem_of(unknown)
    accumulator = CurveAccumulator(labels)
    rows = np.asarray(rows)
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        accumulator.update(
            torch.from_numpy(y_true[part]),
            torch.from_numpy(y_score[part].astype(dtype)),
            sample_weight=weight[part] if weighted else None,
            index=part if indexed else None,
        )
    return accumulator


def share(rank, cut=41):
    """Uneven parts of the items."""
    return np.arange(61)[:cut] if rank == 0 else np.arange(61)[cut:]


def sampled(rank):
    """What torch's own sampler gives a process: as many items to each, so that one comes twice."""
    return list(torch.utils.data.DistributedSampler(range(61), N_PROCESSES, rank, shuffle=True))


def curves_of_every_kind(rank):
    weights_of_0 = accumulated([], weighted=True)
    for _ in range(3):
        weights_of_0.update([[1, 0, 1]], np.float32([[0.5, 0.5, 0.5]]), sample_weight=[0.0])
    return {
        "uneven": accumulated(share(rank)).compute(),
        "uneven, all scores": accumulated(share(rank)).compute(gather="scores"),
        "alone": accumulated(share(rank)).compute(gather="nothing"),
        "unknown": accumulated(share(rank), unknown=True).compute(),
        "weighted": accumulated(share(rank), weighted=True).compute(),
        "weighted, all scores": accumulated(share(rank), weighted=True).compute(gather="scores"),
        "one is empty": accumulated(share(rank, cut=61), labels=LABELS if rank == 0 else None).compute(),
        "the other is empty": accumulated(share(rank, cut=0)).compute(),
        "empty, all scores": accumulated(share(rank, cut=61)).compute(gather="scores"),
        "padded": accumulated(sampled(rank), indexed=True).compute(),
        "padded, all scores": accumulated(sampled(rank), indexed=True).compute(gather="scores"),
        "seen by both": accumulated(np.arange(61), indexed=True).compute(),
        "weights of 0 in one": (accumulated(np.arange(61), weighted=True) if rank else weights_of_0).compute(),
    }


def errors_of_every_kind(rank):
    weights_of_0 = accumulated([])
    weights_of_0.update([[1, 0, 1]], np.float32([[0.5, 0.5, 0.5]]), sample_weight=[0.0])
    messages = {}
    for what, accumulator in {
        "nothing": CurveAccumulator(),
        "labels": accumulated(share(rank), labels=LABELS if rank == 0 else ("x", "y", "z")),
        "dtype": accumulated(share(rank), dtype=np.float16 if rank else np.float32),
        "weights": accumulated(share(rank), weighted=bool(rank)),
        "index": accumulated(share(rank), indexed=bool(rank)),
        "weights of 0": weights_of_0,
    }.items():
        for gather in ("curves", "scores"):
            with pytest.raises(limen.LimenError) as caught:
                accumulator.compute(gather=gather)
            messages[what, gather] = f"{type(caught.value).__name__}: {caught.value}"
    return messages


def trained(rank):
    """One step of distributed training, on this process's half of the items."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 3), torch.nn.Sigmoid(), ThresholdLayer([0.5] * 3, trainable=True)
    )
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    y_true, y_score, _ = (torch.tensor(part).float()[rank * 30 : (rank + 1) * 30] for part in problem_of())
    MetricLoss("accuracy")(wrapped(y_score), y_true).backward()
    return [parameter.grad for parameter in model.parameters()]


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=N_PROCESSES)
    torch.set_num_threads(1)
    found = {
        "curves": curves_of_every_kind(rank),
        "errors": errors_of_every_kind(rank),
        "gradients": trained(rank),
    }
    everything = accumulated(share(rank)).compute(gather="scores")
    found["auto"] = limen.tune(everything).values
    groups = [dist.new_group([number]) for number in range(N_PROCESSES)]
    in_group = accumulated(share(rank)).compute(group=groups[rank])
    found["group"], found["auto in the group"] = in_group, limen.tune(in_group).values
    with pytest.raises(limen.InputError) as caught:
        accumulated(share(rank)).compute(group=groups[1 - rank])
    found["outside"] = str(caught.value)
    dist.destroy_process_group()
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(found))


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    spawn(work, (folder,), nprocs=N_PROCESSES)
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(N_PROCESSES)]


def whole(rows=None, *, weighted=False, unknown=False):
    y_true, y_score, weight = problem_of(unknown)
    rows = np.arange(61) if rows is None else rows
    weight = weight[rows] if weighted else None
    return Curves.from_arrays(y_true[rows], y_score[rows], labels=LABELS, sample_weight=weight)


def test_all_processes_have_the_curves_of_all_items(processes):
    expected = {
        "uneven": whole(),
        "uneven, all scores": whole(),
        "unknown": whole(unknown=True),
        "weighted": whole(weighted=True),
        "weighted, all scores": whole(weighted=True),
        "one is empty": whole(),
        "the other is empty": whole(),
        "empty, all scores": whole(),
        "padded": whole(),
        "padded, all scores": whole(),
        "seen by both": whole(),
    }
    for found in processes:
        curves = found["curves"]
        for what, right in expected.items():
            if "padded" in what and "all scores" in what:
                assert curves[what].n_items == 61
            assert curves[what] == right, what
            assert curves[what].complete, what
        assert np.array_equal(curves["weights of 0 in one"].n_known, whole(weighted=True).n_known)
        assert curves["weights of 0 in one"].n_items == 64


def test_the_sampler_did_repeat_an_item():
    items = [item for rank in range(N_PROCESSES) for item in sampled(rank)]
    assert len(items) == 62
    assert set(items) == set(range(61))


def test_alone_means_this_process(processes):
    for rank, found in enumerate(processes):
        assert found["curves"]["alone"] == whole(share(rank))
        assert found["group"] == whole(share(rank))
        assert found["outside"].startswith("this process is not in the group. Call compute() in the group's")
        np.testing.assert_array_equal(found["auto in the group"], limen.tune(whole(share(rank))).values)


def test_with_all_scores_every_method_tunes(processes):
    y_true, y_score, _ = problem_of()
    expected = limen.tune(y_true, y_score, labels=LABELS).values
    for found in processes:
        np.testing.assert_array_equal(found["auto"], expected)


def test_all_processes_are_told_what_does_not_fit(processes):
    """One that went on would wait for the others for ever."""
    first, second = (found["errors"] for found in processes)
    assert first == second
    words = {
        "nothing": "InputError: no items were added. Call update(y_true, y_score) with each batch",
        "labels": "MergeError: one process has float32 scores, labels 'a', 'b', 'c', no weights, no indices, "
        "another float32 scores, labels 'x', 'y', 'z', no weights, no indices. All parts need the same",
        "dtype": "another float16 scores",
        "weights": ", weights, no indices",
        "index": "integer indices",
        "weights of 0": "InputError: sample_weight is zero for every item",
    }
    for what, text in words.items():
        for gather in ("curves", "scores"):
            assert text in first[what, gather]


def test_distributed_training_averages_the_gradients(processes):
    """Accuracy is linear in the counts, so the mean over two halves is the gradient of the whole."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 3), torch.nn.Sigmoid(), ThresholdLayer([0.5] * 3, trainable=True)
    )
    y_true, y_score, _ = (torch.tensor(part).float()[:60] for part in problem_of())
    MetricLoss("accuracy")(model(y_score), y_true).backward()
    for found in processes:
        for gradient, parameter in zip(found["gradients"], model.parameters(), strict=True):
            torch.testing.assert_close(gradient, parameter.grad)
            assert gradient.any()


def test_without_processes_nothing_is_asked_of_them():
    y_true, y_score, names = spoken_tags()
    accumulator = CurveAccumulator(names)
    accumulator.update(y_true, y_score)
    for gather in ("curves", "scores", "nothing"):
        assert accumulator.compute(gather=gather) == Curves.from_arrays(y_true, y_score, labels=names)
