"""Mean average precision against its definition, against scikit-learn's curve, and over any number
of processes.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from fdsl.train.distributed import Processes
from fdsl.train.evaluate import average_precision, rank
from fdsl.train.input.loader import EvaluationImages, evaluation_batches

ALONE = Processes(0, 1, torch.device("cpu"))


def oracle(scores, answers):
    """Return the exact average precision, as slowly and literally as the definition reads."""
    pairs = [(s, a) for s, a in zip(scores, answers, strict=True) if a >= 0]
    present = sum(a for _, a in pairs)
    points = []
    for threshold in sorted({s for s, _ in pairs}, reverse=True):
        chosen = [a for s, a in pairs if s >= threshold]
        points.append((Fraction(sum(chosen), present), Fraction(sum(chosen), len(chosen))))
    area, before = Fraction(0), Fraction(0)
    for recall, _ in points:
        highest = max(precision for other, precision in points if other >= recall)
        area += (recall - before) * highest
        before = recall
    return float(area)


cases = st.lists(
    st.tuples(st.integers(-4, 4), st.sampled_from([1, 0, 0, -1])), min_size=1, max_size=30
).filter(lambda pairs: any(answer == 1 for _, answer in pairs))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases)
def test_it_is_the_area_under_the_raised_curve(pairs):
    scores, answers = (list(column) for column in zip(*pairs, strict=True))
    assert average_precision(scores, answers) == pytest.approx(oracle(scores, answers), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_scikit_learns_curve_raised_has_the_same_area(seed):
    from sklearn.metrics import average_precision_score, precision_recall_curve

    rng = np.random.default_rng(seed)
    answers = rng.random(300) < 0.2
    scores = np.round(rng.normal(answers * 0.8, 1), 1)  # with ties
    precision, recall, _ = precision_recall_curve(answers, scores)  # recall falls
    raised = np.maximum.accumulate(precision)
    area = -np.sum(np.diff(recall) * raised[:-1])
    found = average_precision(scores, answers.astype(int))
    assert found == pytest.approx(area, abs=1e-12)
    # without raising it is scikit-learn's own number, which is never larger
    assert found >= average_precision_score(answers, scores)


@pytest.mark.parametrize(
    ("scores", "answers", "expected"),
    [
        ([3, 2, 1], [1, 1, 0], 1),
        ([1, 2, 3], [1, 0, 0], 1 / 3),
        ([4, 3, 2, 1], [1, 0, 1, 0], 0.5 + 0.5 * 2 / 3),
        ([4, 3, 2, 1], [0, 1, 0, 1], 0.5),  # 1 of 2, then 2 of 4: raised to one half
        ([5, 5, 5, 5], [1, 0, 0, 0], 0.25),  # no order among equals
        ([9, 4, 3], [-1, 1, 0], 1),  # unknown ones are not there
        ([1], [1], 1),
    ],
)
def test_by_hand(scores, answers, expected):
    assert average_precision(scores, answers) == pytest.approx(expected, abs=1e-15)


def test_a_class_that_is_nowhere_has_no_score():
    with pytest.raises(ValueError, match="no image shows the class"):
        average_precision([1, 2], [0, -1])


class Scenes:
    """`n` images of 4 classes, any number of which shows as bright columns; some answers are
    unknown.
    """

    classes = 4

    def __init__(self, n):
        self.labels = np.random.default_rng(n).integers(0, 2, (n, 4))
        self.labels[np.arange(n) % 7 == 3, 1] = -1
        self.labels[0] = 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = np.random.default_rng(index).integers(0, 200, (16, 16), dtype=np.uint8)
        for label in np.flatnonzero(self.labels[index] == 1):
            image[:, label::4] //= 2
            image[:, label::4] += 60
        return image, self.labels[index].copy()


class Columns(nn.Module):
    """Scores a class by the brightness of its columns."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        assert not self.training
        return images.unflatten(3, (-1, 4)).mean(dim=(1, 2, 3))


def share(source, *, r=0, world=1, batch=4, workers=0):
    images = EvaluationImages(source, lambda image: torch.from_numpy(image)[None])
    here = Processes(r, world, torch.device("cpu"), workers)
    return evaluation_batches(images, here, batch=batch)


def ranked(source, batches, *, processes=ALONE, model=None, images=None):
    return rank(
        model or Columns(),
        batches,
        transform=lambda batch: batch.images.float() / 255,
        images=len(source) if images is None else images,
        classes=4,
        processes=processes,
        precision="fp32",
    )


def expected(source):
    scores = np.array(
        [source[k][0].reshape(16, 4, 4).mean(axis=(0, 1)) for k in range(len(source))]
    )
    scores = (scores / 255).astype(np.float32)
    labels = source.labels
    return [100 * oracle(scores[:, k].tolist(), labels[:, k].tolist()) for k in range(4)]


@pytest.mark.parametrize("n", [1, 7, 30])
@pytest.mark.parametrize("batch", [1, 8, 64])
def test_every_image_is_ranked_once_whatever_the_batch(n, batch):
    source, model = Scenes(n), Columns()
    found = ranked(source, share(source, batch=batch), model=model)
    assert (found.images, model.seen) == (n, n)
    assert found.average_precision == pytest.approx(expected(source))
    assert found.mean_average_precision == pytest.approx(np.mean(found.average_precision))
    assert found.percent == found.mean_average_precision
    assert model.training


class Together:
    """Some processes one after the other: sums tables over those that came before, as the last one
    would see them.
    """

    def __init__(self, world):
        self.world, self.device, self.rank = world, torch.device("cpu"), 0
        self.tables = {}

    def sum(self, table):
        number = self.calls = self.calls + 1
        self.tables[number] = self.tables.get(number, 0) + table
        return self.tables[number]

    def of(self, r):
        self.rank, self.calls = r, 0
        return self


@pytest.mark.parametrize("world", [2, 3])
def test_shares_of_processes_make_the_same_ranking(world):
    source = Scenes(23)
    alone = ranked(source, share(source))
    together = Together(world)
    for r in range(world - 1):
        with pytest.raises(RuntimeError, match="leave some out"):
            ranked(source, share(source, r=r, world=world), processes=together.of(r))
    last = world - 1
    found = ranked(source, share(source, r=last, world=world), processes=together.of(last))
    assert found == alone


def test_an_image_that_is_there_twice_or_not_at_all_is_an_error():
    source = Scenes(9)
    batches = list(share(source))
    with pytest.raises(RuntimeError, match=r"evaluated 13 images, 9 different ones of 9"):
        ranked(source, [*batches, batches[0]])
    with pytest.raises(RuntimeError, match=r"evaluated 5 images, 5 different ones of 9"):
        ranked(source, batches[1:])
    # as many as there should be, but not each once
    with pytest.raises(RuntimeError, match=r"evaluated 9 images, 5 different ones of 9"):
        ranked(source, [batches[0], batches[0], batches[2]])


def test_a_network_of_nans_is_an_error():
    class Broken(nn.Module):
        def forward(self, images):
            return torch.full((len(images), 4), torch.nan)

    source = Scenes(5)
    with pytest.raises(RuntimeError, match="loss = nan"):
        ranked(source, share(source), model=Broken())


def test_loader_processes_change_nothing():
    source = Scenes(20)
    assert ranked(source, share(source, workers=2)) == ranked(source, share(source))
