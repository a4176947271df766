"""Classes from sound and pictures that were only described."""

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="limen.learn needs torch: pip install 'limen[learn]'")
pytest.importorskip("sklearn", reason="limen.learn needs scikit-learn: pip install 'limen[learn]'")

import torch
from sklearn.base import clone

import limen
from limen.learn import (
    AudioVisualZeroShotClassifier,
    AVGZSLNet,
    CompositeTripletLoss,
    CrossModalDecoderLoss,
    generalized_zero_shot_report,
    recipes,
)
from limen.learn.recipes import spoken_images
from limen.learn.recipes import zeroshot as recipe
from limen.learn.zeroshot import _Others
from limen.learn.zeroshot_networks import Scores, Views, distance, triplet
from limen.learn.zeroshot_report import balanced

DATA = Path(__file__).parents[1] / "data"
QUICK = {"hidden_dim": 16, "embed_dim": 8, "epochs": 4, "seen_penalty": 0.0, "random_state": 0}


def made(seed=0, n=150, n_classes=5):
    """Items near what their class's description maps to, so that descriptions tell classes never shown."""
    rng = np.random.default_rng(seed)
    text = rng.normal(size=(n_classes, 6))
    y = rng.integers(0, n_classes, n)
    audio = text[y] @ rng.normal(size=(6, 9)) + 0.3 * rng.normal(size=(n, 9))
    video = text[y] @ rng.normal(size=(6, 7)) + 0.3 * rng.normal(size=(n, 7))
    return audio, video, y, text


@pytest.fixture(scope="module")
def fitted():
    audio, video, y, text = made()
    seen = y < 4
    clf = AudioVisualZeroShotClassifier(**{**QUICK, "epochs": 20, "batch_size": 32, "learning_rate": 0.01})
    return clf.fit(audio[seen], video[seen], y[seen], text, seen_classes=range(4))


class TestLosses:
    def test_two_by_two_worked_by_hand(self):
        # Rows: |t - a| 3, 0; |t - a'| 4, 1; |a - t'| 5, 2; |t - v| 1, 1; |t - v'| 0, 6; |v - t'| 3, 2.
        own = Views(
            torch.tensor([[0.0, 0.0], [0.0, 0.0]]),
            torch.tensor([[3.0, 0.0], [0.0, 0.0]]),
            torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
        )
        other = Views(
            torch.tensor([[3.0, 5.0], [2.0, 0.0]]),
            torch.tensor([[0.0, 4.0], [1.0, 0.0]]),
            torch.tensor([[0.0, 0.0], [6.0, 0.0]]),
        )
        t_a = (max(0, 3 - 4 + 1) + max(0, 0 - 1 + 1)) / 2
        a_t = (max(0, 3 - 5 + 1) + max(0, 0 - 2 + 1)) / 2
        t_v = (max(0, 1 - 0 + 1) + max(0, 1 - 6 + 1)) / 2
        v_t = (max(0, 1 - 5 + 1) + max(0, 1 - 1 + 1)) / 2
        found = CompositeTripletLoss()(own, other).item()
        assert found == pytest.approx(t_a + a_t + t_v + v_t, abs=1e-5)
        assert found == pytest.approx(1.5, abs=1e-5)
        text = torch.tensor([[0.0, 2.0], [2.0, 0.0]])
        rebuilt = (2 + 2) / 2 + (np.hypot(3, 2) + 2) / 2 + (1 + 1) / 2
        assert CrossModalDecoderLoss()(own, other, text).item() == pytest.approx(rebuilt + t_a + t_v, abs=1e-5)
        assert CompositeTripletLoss(margin=0.0)(own, other).item() == pytest.approx(0.5, abs=1e-5)

    def test_gradients_are_those_of_differences(self):
        draw = torch.Generator().manual_seed(0)
        parts = [torch.randn(3, 4, generator=draw, dtype=torch.double, requires_grad=True) for _ in range(7)]

        def both(*x):
            own, other = Views(*x[:3]), Views(*x[3:6])
            return CompositeTripletLoss()(own, other) + CrossModalDecoderLoss()(own, other, x[6])

        assert torch.autograd.gradcheck(both, parts)

    def test_no_slope_is_infinite_where_points_meet(self):
        point = torch.zeros(2, 3, requires_grad=True)
        triplet(point, point.detach(), point.detach() + 1, 1.0).backward()
        assert torch.isfinite(point.grad).all()
        assert distance(point, point).max().item() < 1e-5

    def test_what_is_decoded_has_length_1(self):
        net = AVGZSLNet(4, 3, 5, 8, 16).eval()
        views = net(torch.randn(6, 5), torch.randn(6, 4), torch.randn(6, 3))
        assert {tuple(view.shape) for view in views} == {(6, 8)}
        for view in views:
            assert torch.allclose(net.decode(view).norm(dim=1), torch.ones(6))
            assert net.decode(view).shape == (6, 5)


class TestClassifier:
    def test_shapes_whatever_is_given(self, fitted):
        audio, video, _, _ = made()
        for given in ({"audio": audio, "video": video}, {"audio": audio}, {"video": video}):
            scores = fitted.decision_function(**given)
            assert scores.shape == (150, 5)
            assert scores.dtype == np.float32
            assert (scores <= 0).all()
            assert fitted.predict(**given).shape == (150,)
            order = fitted.rank(4, **given)
            assert sorted(order.tolist()) == list(range(150))
            assert (np.diff(scores[order, 4]) <= 0).all()
        one = fitted.decision_function(audio[:1], video[:1])
        assert np.allclose(one, fitted.decision_function(audio, video)[:1], atol=1e-5)

    def test_both_is_the_sum(self, fitted):
        audio, video, _, _ = made()
        both = fitted.decision_function(audio, video)
        assert np.allclose(
            both, fitted.decision_function(audio) + fitted.decision_function(video=video), atol=1e-4
        )

    def test_it_tells_a_class_never_shown(self, fitted):
        audio, video, y, _ = made()
        report = generalized_zero_shot_report(y, fitted.decision_function(audio, video), fitted.seen_)
        assert report.seen > 0.8
        assert report.unseen > 0.5  # a fifth by chance

    def test_items_of_unseen_classes_change_nothing(self, fitted):
        audio, video, y, text = made()
        words = r"\d+ items of classes that are not seen were left out: classes '4'\."
        with pytest.warns(limen.LimenWarning, match=words):
            again = clone(fitted).fit(audio, video, y, text, seen_classes=range(4))
        assert again.decision_function(audio, video).tobytes() == fitted.decision_function(audio, video).tobytes()
        assert torch.equal(again.network_.audio_mean, fitted.network_.audio_mean)

    def test_the_order_of_class_text_is_that_of_the_columns(self, fitted):
        audio, video, y, text = made()
        order = np.array([3, 0, 4, 1, 2])
        place, some = np.argsort(order), y < 4
        moved = clone(fitted).fit(audio[some], video[some], place[y[some]], text[order], seen_classes=place[:4])
        here, there = fitted.decision_function(audio, video), moved.decision_function(audio, video)
        # Others are drawn by the place of their class, so the fits differ, and the same classes are told.
        assert np.corrcoef(here[:, order].ravel(), there.ravel())[0, 1] > 0.8
        assert moved.seen_.tolist() == [True, True, False, True, True]
        net = fitted.network_
        tensors = [torch.as_tensor(part, dtype=torch.float32) for part in (fitted._text, fitted._text[order])]
        straight, turned = (Scores(net, part, ("audio",))(torch.zeros(2, 9)) for part in tensors)
        assert torch.allclose(straight[:, order], turned)

    def test_the_same_seed_gives_the_same_and_state_is_left_alone(self, fitted):
        audio, video, y, text = made()
        some = y < 4
        state = torch.get_rng_state()
        again = clone(fitted).fit(audio[some], video[some], y[some], text, range(4))
        assert torch.equal(torch.get_rng_state(), state)
        assert again.decision_function(audio).tobytes() == fitted.decision_function(audio).tobytes()
        other = clone(fitted).set_params(random_state=1).fit(audio[some], video[some], y[some], text, range(4))
        assert not np.array_equal(other.decision_function(audio), fitted.decision_function(audio))
        assert fitted.get_params()["epochs"] == 20

    def test_the_penalty_is_learned_from_seen_classes_that_play_unseen_ones(self):
        audio, video, y, text = made(n=600, n_classes=8)
        some = y < 6
        clf = AudioVisualZeroShotClassifier(**{**QUICK, "epochs": 15, "seen_penalty": "hm"})
        clf.fit(audio[some], video[some], y[some], text, range(6))
        assert len(clf.balanced_on_) == 2
        assert set(clf.balanced_on_) < set(range(6))
        assert set(clf.seen_penalty_) == {"both", "audio", "video"}
        scores = clf.decision_function(audio, video)
        taken = clf.seen_penalty_["both"]
        assert clf.predict(audio, video).tolist() == (scores - taken * clf.seen_).argmax(axis=1).tolist()
        plain = clone(clf).set_params(seen_penalty=0.0).fit(audio[some], video[some], y[some], text, range(6))
        assert plain.decision_function(audio, video).tobytes() == scores.tobytes()
        assert plain.balanced_on_ == ()

    def test_labelled_items_of_unseen_classes_can_balance(self, fitted):
        audio, video, y, _ = made()
        clf = clone(fitted).fit(*(part[y < 4] for part in made()[:3]), made()[3], range(4))
        t = clf.balance(y, audio=audio, video=video)
        assert t.rule == "argmax"
        assert clf.seen_penalty_ == {"both": t.details["offsets"]["seen"], "audio": 0.0, "video": 0.0}
        decided = t.decide(clf.decision_function(audio, video))
        assert decided.argmax(axis=1).tolist() == clf.predict(audio, video).tolist()
        scores = clf.decision_function(audio, video)
        values = [
            generalized_zero_shot_report(y, scores, clf.seen_, k).harmonic_mean for k in np.linspace(-3, 3, 41)
        ]
        assert t.details["harmonic_mean"] >= max(values) - 1e-9

    def test_it_stops_early_on_a_validation_part(self):
        audio, video, y, text = made()
        told = []
        clf = AudioVisualZeroShotClassifier(
            **{**QUICK, "epochs": 60, "learning_rate": 0.01},
            patience=2,
            validation_fraction=0.2,
            verbose=lambda *args: told.append(args),
        ).fit(audio, video, y, text)
        assert len(clf.training_.losses) < 60
        assert max(clf.training_.values) == clf.training_.values[clf.training_.best_epoch]
        assert "stopped after epoch" in told[-1][2]
        assert clf.seen_.all()

    @pytest.mark.parametrize("given", ["both", "audio", "video"])
    def test_onnx_gives_the_same_scores(self, fitted, tmp_path, given):
        runtime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        audio, video, _, _ = made()
        parts = {"both": (audio, video), "audio": (audio,), "video": (video,)}[given]
        fitted.to_onnx(tmp_path / "model.onnx", given)
        session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
        (found,) = session.run(None, {"items": np.concatenate(parts, axis=1).astype(np.float32)})
        names = ("audio", "video") if given == "both" else (given,)
        assert np.allclose(found, fitted.decision_function(**dict(zip(names, parts, strict=True))), atol=1e-4)

    def test_waves_of_sound_run_in_limen_tag(self, tmp_path):
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        from limen.audio import OnnxScorer

        front = spoken_images.Spectra()
        waves = torch.randn(60, 6400, generator=torch.Generator().manual_seed(0)) * 0.1
        with torch.no_grad():
            audio = front(waves).numpy()
        y = np.arange(60) % 3
        clf = AudioVisualZeroShotClassifier(**QUICK).fit(audio, audio[:, :5], y, np.eye(4) + 0.1, range(3))
        names = ["a", "b", "c", "never shown"]
        clf.to_onnx(tmp_path / "m.onnx", "audio", front=front, n_samples=6400, rate=8000, labels=names)
        assert OnnxScorer(tmp_path / "m.onnx").labels == tuple(names)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"audio": np.zeros(3)}, r"audio has shape \(3,\)"),
            ({"video": np.full((150, 7), np.nan)}, "video has NaN or inf in row 0"),
            ({"audio": np.zeros((2, 9))}, "audio has 2 items, y has 150"),
            ({"y": np.zeros(150)}, r"y has shape \(150,\) of float64. Give whole numbers"),
            ({"y": np.full(150, 5)}, "y has 5 to 5; there are classes 0 to 4"),
            ({"y": np.zeros(150, int)}, "y has items of 1 seen class. Give items of 2 or more"),
            ({"class_text": np.zeros((5, 6))}, "class_text has only zeros in row 0: it describes no class"),
            ({"seen_classes": [7]}, "seen_classes has 7 to 7"),
        ],
    )
    def test_items_that_do_not_fit_are_refused(self, change, words):
        given = dict(zip(("audio", "video", "y", "class_text"), made(), strict=True)) | change
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", limen.LimenWarning)
            with pytest.raises(limen.InputError, match=words):
                AudioVisualZeroShotClassifier(**QUICK).fit(**given)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"margin": -1.0}, "margin=-1.0 is not usable"),
            ({"validation_fraction": 1.0}, "validation_fraction=1.0 is not usable. Give a number from 0, below 1"),
            ({"epochs": 0}, "epochs=0 is not usable"),
            ({"seen_penalty": "best"}, "seen_penalty='best' is not usable. Give 'hm', or a number"),
            ({"patience": 3}, "patience needs items to validate on"),
            ({"dropout": 1.0}, "dropout 1.0"),
        ],
    )
    def test_parameters_that_do_not_fit_are_refused(self, change, words):
        with pytest.raises(limen.InputError, match=words):
            AudioVisualZeroShotClassifier(**{**QUICK, **change}).fit(*made())

    def test_hm_needs_three_classes(self):
        audio, video, y, text = made()
        some = y < 2
        clf = AudioVisualZeroShotClassifier(**{**QUICK, "seen_penalty": "hm"})
        with pytest.raises(limen.InputError, match="Give items of 3 or more, or a number as seen_penalty"):
            clf.fit(audio[some], video[some], y[some], text)

    def test_calls_that_do_not_fit_are_refused(self, fitted, tmp_path):
        audio, video, _, _ = made()
        for call, words in [
            (lambda: fitted.decision_function(), "neither audio nor video is given"),
            (lambda: fitted.decision_function(video), "audio has 7 features, 9 were fitted"),
            (lambda: fitted.decision_function(audio[:3], video[:2]), "audio has 3 items, video 2"),
            (lambda: fitted.rank(5, audio), "class_index=5: there are classes 0 to 4"),
            (lambda: fitted.to_onnx(tmp_path / "m", "text"), "given='text' is not known"),
            (lambda: fitted.to_onnx(tmp_path / "m", n_samples=9), "front and n_samples go together"),
            (lambda: fitted.to_onnx(tmp_path / "m", rate=8000), "give a front end and n_samples with them"),
        ]:
            with pytest.raises(limen.InputError, match=words):
                call()


def test_others_are_of_other_classes_all_alike():
    y = np.repeat([4, 7, 9], [200, 50, 5])
    others, rows = _Others(y, 0), torch.arange(255).repeat(100)
    found = others.of(rows).numpy()
    assert (y[found] != y[rows.numpy()]).all()
    share = (y[found][y[rows.numpy()] == 4] == 9).mean()
    assert 0.45 < share < 0.55
    assert len(np.unique(found)) == 255


class TestReport:
    def test_worked_by_hand(self):
        y = [0, 0, 1, 2, 2, 2]
        scores = np.array([[3, 0, 0], [0, 1, 0], [0, 2, 1], [2, 0, 1], [0, 0, 5], [1, 0, 0]], float)
        found = generalized_zero_shot_report(y, scores, [True, True, False])
        assert found.seen == (0.5 + 1) / 2
        assert found.unseen == 1 / 3
        assert found.harmonic_mean == pytest.approx(2 * 0.75 / 3 / (0.75 + 1 / 3))
        assert found.zero_shot == 1.0
        assert found.unseen_map == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)  # equal scores are one step
        moved = generalized_zero_shot_report(y, scores, [True, True, False], seen_penalty=1.5)
        assert (moved.seen, moved.unseen) == (0.5 / 2 + 0, 1.0)
        assert moved[3:] == found[3:]

    def test_classes_without_items_are_left_out(self):
        found = generalized_zero_shot_report([0, 1], np.eye(4)[:2], [True, True, False, False])
        assert found.seen == found.seen_map == 1.0
        assert np.isnan([found.unseen, found.zero_shot, found.unseen_map]).all()

    @pytest.mark.parametrize(
        ("y", "scores", "words"),
        [
            ([0], np.eye(2), "y has 1 item, scores have 2"),
            ([0, 1], np.full((2, 2), np.nan), "Give finite scores"),
            ([0, 1], np.eye(3)[:2], r"scores have shape \(2, 3\), seen \(2,\)"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, y, scores, words):
        with pytest.raises(limen.InputError, match=words):
            generalized_zero_shot_report(y, scores, [True, False])

    def test_a_class_without_items_follows_its_group(self):
        scores = np.eye(4)[[0, 1, 2, 2]] + [0.5, 0.5, 0, 0]
        with pytest.warns(limen.LimenWarning, match="Their thresholds are by rule: the offset of their group"):
            t = balanced(np.array([0, 1, 2, 2]), scores, np.array([True, True, False, False]))
        assert t.details["by_rule"]["labels"] == ["3"]
        assert t.details["harmonic_mean"] == 1.0


class TestDigits:
    def test_descriptions_tell_all_digits_apart(self):
        text = spoken_images.class_text()
        assert text.shape[0] == 10
        assert text.dtype == np.float32
        assert np.allclose(np.square(text).sum(axis=1), 2)
        apart = [np.linalg.norm(text[i] - text[j]) for i, j in itertools.combinations(range(10), 2)]
        assert min(apart) > 0.4
        assert text.tobytes() == spoken_images.class_text().tobytes()

    def test_every_sound_is_described(self):
        used = {sound for word in spoken_images.WORDS.values() for sound in word if sound}
        assert used == set(spoken_images.SOUNDS)
        assert list(spoken_images.WORDS) == list(spoken_images.NAMES)


class TestRecipe:
    @pytest.fixture
    def quick(self, monkeypatch):
        monkeypatch.setattr(recipe, "PAIRS", 1)
        monkeypatch.setattr(recipe, "SETTINGS", {"epochs": 2, "hidden_dim": 8, "batch_size": 32})

    def test_it_goes_on_where_it_was(self, quick, tmp_path, monkeypatch):
        told = []
        outcome = recipes.run("zeroshot", DATA, tmp_path, progress=lambda *args: told.append(args))
        assert [row[:2] for row in outcome.rows] == [
            [given, method]
            for given in ("both", "audio", "video")
            for method in ("AVGZSLNet", "no decoder", "ridge")
        ]
        assert len(outcome.checks) == 10
        assert told[-1][:2] == (3, 3)
        t = limen.Thresholds.load(tmp_path / "thresholds.json")
        assert t.rule == "argmax"
        assert set(t.details["offsets"]) == {"seen", "unseen"}
        assert "never shown" in (tmp_path / "report.html").read_text()
        monkeypatch.setattr(recipe, "measured", None)  # nothing is fitted again
        monkeypatch.setattr(recipe, "_write", lambda *args: [])
        again = recipes.run("zeroshot", DATA, tmp_path)
        assert (again.rows, again.checks) == (outcome.rows, outcome.checks)

    def test_pairs_are_all_and_fixed(self):
        assert recipe.pairs()[:3] == recipe.pairs()[:3]
        assert sorted(recipe.pairs()) == list(itertools.combinations(range(10), 2))

    def test_parts_share_no_sound_and_no_picture(self):
        train, test = spoken_images.load(DATA, seed=3)
        for part in ("audio", "video"):
            here, there = ({row.tobytes() for row in getattr(side, part)} for side in (train, test))
            assert not here & there
        assert np.bincount(train.digit).tolist() == [6] * 10
        other, _ = spoken_images.load(DATA, seed=4)
        assert other.audio.tobytes() == train.audio.tobytes()
        assert other.video.tobytes() != train.video.tobytes()

    def test_what_was_reached_is_judged(self):
        good = dict.fromkeys(recipe.MEASURED, 0.7)
        poor = {**good, "plain": 0.01, "unseen_map": 0.2}
        made = {"AVGZSLNet": good, "no decoder": {**good, "plain": 0.6, "unseen_map": 0.3}, "ridge": poor}
        figures = {
            (given, method): np.array([list(made[method].values())])
            for given in recipe.INPUTS
            for method in recipe.METHODS
        }
        found = recipe.checks(figures)
        assert all(check.passed for check in found)
        figures["both", "AVGZSLNet"] = figures["both", "AVGZSLNet"] * 0.5
        assert sum(not check.passed for check in recipe.checks(figures)) == 3
