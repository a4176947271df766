"""Losses on Gram matrices, against their definition, and what they do not depend on."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")

import torch

import limen
from limen.learn import IntraUtteranceSimilarityLoss, LogitLoss, SimilarityPreservingLoss

INTRA, PRESERVING = IntraUtteranceSimilarityLoss(), SimilarityPreservingLoss()


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(student, teacher):
    """The mean over items of |G_T - G_S|² / t², rows of Q Qᵀ over their norms, plainly."""
    losses = []
    for ours, theirs in zip(student.numpy(), teacher.numpy(), strict=True):
        grams = []
        for item in (ours, theirs):
            frames = np.array([item[..., k].ravel() for k in range(item.shape[-1])])
            gram = np.array([[a @ b for b in frames] for a in frames])
            grams.append(np.array([row / np.sqrt((row * row).sum()) for row in gram]))
        losses.append(((grams[0] - grams[1]) ** 2).sum() / len(grams[0]) ** 2)
    return np.mean(losses)


def test_they_are_their_definition():
    student, teacher = drawn(3, 2, 5, 7), drawn(3, 4, 3, 7, seed=1)
    assert INTRA(student, teacher).item() == pytest.approx(by_definition(student, teacher))
    # Two frames, by hand: teacher's are the same, student's at a right angle.
    apart, alike = torch.eye(2)[None], torch.ones(1, 2, 2)
    expected = (2 * (1 - 0.5**0.5) ** 2 + 2 * 0.5) / 4
    assert INTRA(apart, alike).item() == pytest.approx(expected)
    assert PRESERVING(torch.eye(2), torch.ones(2, 2)).item() == pytest.approx(expected)


def test_items_with_frames_as_items_are_the_same_loss():
    student, teacher = drawn(1, 2, 5, 7), drawn(1, 4, 3, 7, seed=1)
    as_items = [part[0].movedim(-1, 0) for part in (student, teacher)]
    assert INTRA(student, teacher).item() == pytest.approx(PRESERVING(*as_items).item(), abs=1e-15)


def test_equal_activations_cost_nothing():
    found = drawn(2, 3, 4, 5)
    assert INTRA(found, found) == PRESERVING(found, found) == LogitLoss()(found[0, 0], found[0, 0]) == 0


def test_what_intra_utterance_similarity_does_not_depend_on():
    student, teacher = drawn(3, 6, 5, 7), drawn(3, 4, 3, 7, seed=1)
    expected = INTRA(student, teacher)
    assert expected > 0.01
    rotation = torch.linalg.qr(drawn(6, 6, seed=2))[0]
    scales = torch.tensor([1e-4, 1.0, 300.0], dtype=torch.float64)[:, None, None, None]
    changed = {
        "order of channels": student[:, [3, 1, 0, 5, 2, 4]],
        "rotation of channels": torch.einsum("dc,bcft->bdft", rotation, student),
        "scale of each item": student * scales,
        "shape": student.reshape(3, 2, 15, 7),
    }
    for what, same in changed.items():
        assert torch.allclose(INTRA(same, teacher), expected, rtol=1e-9), what
    assert torch.allclose(INTRA(student, teacher * scales), expected, rtol=1e-9)
    assert not torch.allclose(INTRA(student.flip(-1), teacher), expected)
    assert torch.allclose(PRESERVING(student * 1e-4, teacher), PRESERVING(student, teacher), rtol=1e-9)
    assert not torch.allclose(PRESERVING(student * scales, teacher), PRESERVING(student, teacher))


def test_the_axis_of_frames():
    student, teacher = drawn(3, 7, 5, seed=2), drawn(3, 7, 4, seed=1)
    turned = student.transpose(1, 2), teacher.transpose(1, 2)
    assert torch.equal(IntraUtteranceSimilarityLoss(time_dim=1)(student, teacher), INTRA(*turned))


def test_gradients():
    student, teacher = drawn(2, 2, 3, 4).requires_grad_(), drawn(2, 3, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(INTRA, (student, teacher))
    assert torch.autograd.gradcheck(PRESERVING, (student, teacher))
    logits = drawn(3, 4).requires_grad_(), drawn(3, 4, seed=1).requires_grad_()
    for multilabel in (True, False):
        assert torch.autograd.gradcheck(LogitLoss(3.0, multilabel), logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silent_frames_have_finite_gradients(dtype):
    student, teacher = drawn(3, 2, 3, 4).to(dtype), drawn(3, 3, 2, 4, seed=1).to(dtype)
    student[0, ..., 2] = 0
    student[1] = 0
    student.requires_grad_()
    for loss in (INTRA, PRESERVING):
        (found,) = torch.autograd.grad(loss(student, teacher), student)
        assert torch.isfinite(found).all()
        assert found.abs().max() < 10
    assert not INTRA.gram(student)[1].any()
    assert torch.equal(INTRA.gram(student)[0, :, 2], torch.zeros(4, dtype=dtype))


def test_padded_frames_do_not_count():
    student, teacher = drawn(2, 3, 2, 6), drawn(2, 2, 2, 6, seed=1)
    mask = torch.ones(2, 6, dtype=torch.bool)
    assert torch.allclose(INTRA(student, teacher, mask), INTRA(student, teacher))
    mask[1, 4:] = False
    expected = (INTRA(student[:1], teacher[:1]) + INTRA(student[1:, ..., :4], teacher[1:, ..., :4])) / 2
    student[1, ..., 4:], teacher[1, ..., 4:] = torch.nan, 7
    assert torch.allclose(INTRA(student, teacher, mask), expected)
    assert INTRA(student, teacher, torch.zeros(2, 6, dtype=torch.bool)) == 0


def test_more_frames_are_averaged_to_fewer():
    student, teacher = drawn(2, 3, 12), drawn(2, 4, 6, seed=1)
    pairs = student.reshape(2, 3, 6, 2).mean(-1)
    assert torch.allclose(INTRA(student, teacher), INTRA(pairs, teacher))
    assert torch.allclose(INTRA(teacher, student), INTRA(teacher, pairs))
    # Of a pair with one real frame, that frame alone is the average.
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[0, 9:] = False
    pairs[0, :, 4] = student[0, :, 8]
    expected = (INTRA(pairs[:1, :, :5], teacher[:1, :, :5]) + INTRA(pairs[1:], teacher[1:])) / 2
    assert torch.allclose(INTRA(student, teacher, mask), expected)
    with pytest.raises(limen.InputError, match="student has 12 frames, teacher 6"):
        IntraUtteranceSimilarityLoss(resample=None)(student, teacher)


def test_logits_against_the_divergence_of_probabilities():
    ours, theirs, heat = drawn(5, 3), drawn(5, 3, seed=1), 3.0
    p, q = torch.sigmoid(theirs / heat), torch.sigmoid(ours / heat)
    each = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    assert LogitLoss(heat)(ours, theirs).item() == pytest.approx(heat**2 * each.mean().item())
    p, q = torch.softmax(theirs / heat, 1), torch.softmax(ours / heat, 1)
    whole = (p * (p / q).log()).sum(1).mean().item()
    assert LogitLoss(heat, multilabel=False)(ours, theirs).item() == pytest.approx(heat**2 * whole)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: INTRA(torch.ones(3, 4), torch.ones(3, 4)), r"shape \(3, 4\) with time_dim=-1: give \(items"),
        (lambda: IntraUtteranceSimilarityLoss(0)(torch.ones(3, 4, 5), torch.ones(3, 4, 5)), "time_dim=0"),
        (lambda: IntraUtteranceSimilarityLoss(3)(torch.ones(3, 4, 5), torch.ones(3, 4, 5)), "time_dim=3"),
        (lambda: IntraUtteranceSimilarityLoss(resample="max"), "resample='max': use 'mean', or None"),
        (lambda: INTRA(torch.ones(3, 4, 5), torch.ones(2, 4, 5)), r"shapes \(3, 5, 5\) and \(2, 5, 5\)"),
        (lambda: INTRA.loss(torch.ones(3, 4, 4), torch.ones(3, 5, 5)), r"shapes \(3, 4, 4\) and \(3, 5, 5\)"),
        (lambda: INTRA.gram(torch.ones(3, 4, 5), torch.ones(3, 5)), "mask is torch.float32"),
        (
            lambda: INTRA.gram(torch.ones(3, 4, 5), torch.ones(3, 4, dtype=torch.bool)),
            r"mask is torch.bool of shape \(3, 4\); it must be bool of \(items, frames\), \(3, 5\) here",
        ),
        (lambda: PRESERVING(torch.ones(3), torch.ones(3)), r"shape \(3,\): give \(items, ...\)"),
        (lambda: PRESERVING(torch.ones(3, 2), torch.ones(4, 2)), r"shapes \(3, 3\) and \(4, 4\)"),
        (lambda: LogitLoss(0), "temperature=0: it is above 0"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(limen.InputError, match=message):
        call()
