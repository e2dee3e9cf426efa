"""What a person sees of a training decides nothing: event files that cannot be written end no
training.
"""

import errno
import logging
import os

from train.tiny_training import pretrain, recipe

WRITER = "torch.utils.tensorboard.SummaryWriter"


class Full:
    """A writer of event files on a full disk; its writes fail some time after the request."""

    def __init__(self, after):
        self.left = after

    def add_scalar(self, *_):
        self.left -= 1
        if self.left < 0:
            self.close()

    def close(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_training_goes_on_without_event_files(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(WRITER, lambda *_, **__: Full(after=2))
    with caplog.at_level(logging.WARNING):
        pretrain(tmp_path, recipe=recipe(epochs=1), tensorboard=tmp_path / "tensorboard")
    assert (tmp_path / "record.json").exists()
    assert caplog.text.count("no more event files for TensorBoard: [Errno 28]") == 1


def test_writers_that_fail_only_at_the_end_do_no_harm(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(WRITER, lambda *_, **__: Full(after=10**6))
    with caplog.at_level(logging.WARNING):
        pretrain(tmp_path, recipe=recipe(epochs=1), tensorboard=tmp_path / "tensorboard")
    assert (tmp_path / "record.json").exists()
    assert "no more event files" in caplog.text
