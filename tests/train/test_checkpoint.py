import json
import logging
import pickle

import pytest
import torch

from fdsl.io.storage import DamagedFile
from fdsl.train import checkpoint
from fdsl.train.checkpoint import ForeignCheckpoint

IDENTITY = {"run": "a-s0", "seed": 0, "recipe": {"lr": 0.1, "mean": [0.5, 0.5]}, "code": "abc"}


def content(step):
    generator = torch.Generator().manual_seed(step)
    return {"weights": torch.rand(100, generator=generator), "step": step, "names": ["x"]}


def save(folder, *steps):
    for step in steps:
        checkpoint.save(folder, content(step), step=step, identity=IDENTITY)


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    save(tmp_path, 7)
    found = checkpoint.load(tmp_path, identity=IDENTITY)
    assert torch.equal(found["weights"], content(7)["weights"])
    assert found["step"] == 7


def test_no_folder_means_no_checkpoint(tmp_path):
    assert checkpoint.load(tmp_path / "absent", identity=IDENTITY) is None


def test_the_newest_two_are_kept(tmp_path):
    save(tmp_path, 1, 5, 12)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [
        "step-000000005.pt",
        "step-000000012.pt",
    ]
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 12


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, flip, remove])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(tmp_path, caplog, damage):
    save(tmp_path, 1, 5)
    damage(tmp_path / "step-000000005.pt")
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 1
    assert "step-000000005.pt" in caplog.text


@pytest.mark.parametrize("damage", [truncate, flip])
def test_a_damaged_description_is_skipped_too(tmp_path, damage):
    save(tmp_path, 1, 5)
    damage(tmp_path / "step-000000005.json")
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 1


def test_an_altered_identity_is_damage_and_not_another_training(tmp_path, caplog):
    save(tmp_path, 1, 5)
    pointer = tmp_path / "step-000000005.json"
    pointer.write_text(pointer.read_text().replace('"a-s0"', '"c-s0"'))
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 1
    assert "step-000000005.json was changed after it was written" in caplog.text


def test_what_is_saved_after_damage_is_kept_although_the_damaged_were_later(tmp_path):
    save(tmp_path, 8, 9)
    for step in (8, 9):
        flip(tmp_path / f"step-{step:09d}.pt")
    assert checkpoint.load(tmp_path, identity=IDENTITY) is None
    save(tmp_path, 3)
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 3
    assert [path.name for path in tmp_path.glob("*.pt")] == ["step-000000003.pt"]


def test_weights_without_their_description_do_not_count(tmp_path):
    save(tmp_path, 1, 5)
    (tmp_path / "step-000000005.json").unlink()
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 1


def test_nothing_is_taken_where_everything_is_damaged(tmp_path):
    save(tmp_path, 1)
    flip(tmp_path / "step-000000001.pt")
    assert checkpoint.load(tmp_path, identity=IDENTITY) is None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"code": "def"}, "code: 'abc' in the checkpoint, 'def' now"),
        ({"seed": 1}, "seed: 0 in the checkpoint, 1 now"),
        ({"recipe": {"lr": 0.2, "mean": [0.5, 0.5]}}, "recipe.lr: 0.1 in the checkpoint, 0.2 now"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_with_both_values(tmp_path, change, line):
    save(tmp_path, 1)
    with pytest.raises(ForeignCheckpoint, match=line):
        checkpoint.load(tmp_path, identity=IDENTITY | change)


def test_lists_and_tuples_in_an_identity_are_the_same(tmp_path):
    save(tmp_path, 1)
    same = IDENTITY | {"recipe": {"lr": 0.1, "mean": (0.5, 0.5)}}
    assert checkpoint.load(tmp_path, identity=same)["step"] == 1


def test_older_checkpoints_stay_when_the_new_one_does_not_read_back(tmp_path, monkeypatch):
    save(tmp_path, 1, 5)
    monkeypatch.setattr(checkpoint.checksums, "digest", lambda path: "0" * 64)  # noqa: ARG005
    with pytest.raises(DamagedFile, match=r"step-000000009\.pt does not read back"):
        save(tmp_path, 9)
    monkeypatch.undo()
    assert checkpoint.load(tmp_path, identity=IDENTITY)["step"] == 5


def test_a_pickle_that_runs_code_is_not_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("never",))

    checkpoint.save(tmp_path, {"trap": Trap()}, step=1, identity=IDENTITY)
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load(tmp_path, identity=IDENTITY)


def test_leftovers_of_a_kill_are_removed_and_checkpoints_are_not(tmp_path):
    save(tmp_path, 1)
    (tmp_path / ".step-000000002.pt.xyz.tmp").write_bytes(b"half")
    checkpoint.remove_leftovers(tmp_path)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".pt"]
    assert json.loads((tmp_path / "step-000000001.json").read_text())["identity"] == IDENTITY


def test_discard_removes_all_and_may_be_repeated(tmp_path):
    save(tmp_path / "run", 1)
    checkpoint.discard(tmp_path / "run")
    checkpoint.discard(tmp_path / "run")
    assert not (tmp_path / "run").exists()
