import base64

import numpy as np
import pytest
import torch
from torch import nn

from fdsl.train.distributed import Processes
from fdsl.train.evaluate import evaluate
from fdsl.train.input.loader import EvaluationImages, evaluation_batches

ALONE = Processes(0, 1, torch.device("cpu"))


class Echo(nn.Module):
    """Says the class of the brightest columns, and counts what it has seen."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        assert not self.training
        return images.unflatten(3, (-1, 4)).mean(dim=(1, 2, 3)) * 50


def transform(image):
    return torch.from_numpy(image)[None]


def finish(batch):
    return batch.images.float() / 255


def share_of(source, *, rank=0, world=1, batch, workers=0):
    here = Processes(rank, world, torch.device("cpu"), workers)
    return evaluation_batches(EvaluationImages(source, transform), here, batch=batch)


def run(source, *, rank=0, world=1, batch=8, images=None, processes=ALONE, workers=0, model=None):
    images = len(source) if images is None else images
    share = share_of(source, rank=rank, world=world, batch=batch, workers=workers)
    model = model or Echo()
    found = evaluate(
        model, share, transform=finish, images=images, processes=processes, precision="fp32"
    )
    return found, model


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30])
@pytest.mark.parametrize("batch", [1, 8, 64])
def test_every_image_counts_once_whatever_the_batch(source_of, n, batch):
    source = source_of(n)
    found, model = run(source, batch=batch)
    assert (found.correct, found.images, model.seen) == (n, n, n)
    assert found.percent == 100


def test_wrong_answers_are_counted_as_integers(source_of):
    class Lying(source_of):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, (label + 1) % 4 if index % 3 == 0 else label

    found, _ = run(Lying(10))
    assert (found.correct, found.images) == (6, 10)
    bits = np.frombuffer(base64.b64decode(found.correct_bits), np.uint8)
    assert np.unpackbits(bits, count=10).tolist() == [0, 1, 1, 0, 1, 1, 0, 1, 1, 0]


def test_shares_of_ranks_are_disjoint_and_complete(source_of):
    source = source_of(11)
    indices = []
    for rank in range(3):
        share = share_of(source, rank=rank, world=3, batch=2)
        indices += [int(key[1]) for batch in share for key in batch.keys]
    assert sorted(indices) == list(range(11))


def test_a_share_that_is_not_everything_is_an_error(source_of):
    with pytest.raises(RuntimeError, match="evaluated 4 images, 4 different ones of 11"):
        run(source_of(11), rank=1, world=3)


def test_mode_of_the_network_is_given_back(source_of):
    model = Echo()
    model.train()
    run(source_of(3), model=model)
    assert model.training
    model.eval()
    run(source_of(3), model=model)
    assert not model.training


def test_loader_processes_change_nothing_and_serve_twice(source_of):
    source = source_of(20)
    share = share_of(source, batch=4, workers=2)
    results = [
        evaluate(Echo(), share, transform=finish, images=20, processes=ALONE, precision="fp32")
        for _ in range(2)
    ]
    assert results[0] == results[1] == run(source, batch=4)[0]


def test_a_network_of_nans_is_an_error(source_of):
    class Broken(nn.Module):
        def forward(self, images):
            return torch.full((len(images), 4), torch.nan)

    with pytest.raises(RuntimeError, match="loss = nan"):
        run(source_of(5), model=Broken())
