"""Published files: every layout is read, and nothing that stands in a file is run."""

import argparse
import os
import pickle
import random
import warnings
import zipfile

import pytest
import torch

from fdsl.io.checksums import digest
from fdsl.io.storage import DamagedFile
from fdsl.train import published_weights
from fdsl.train.published_weights import RefusedPickle

FORMS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {"body.weight": torch.randn(20, 10), "head.bias": torch.randn(10)}


def timm_saver(tensors):
    """Return what timm's CheckpointSaver stores, with the options of a training as a Namespace."""
    options = argparse.Namespace(
        model="deit_tiny", lr=1e-3, epochs=90, data_dir="/home/somebody/data"
    )
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(20, 10)}
    return {
        "epoch": 89,
        "arch": "deit_tiny_patch16_224",
        "state_dict": tensors,
        "optimizer": {"state": {0: moments}, "param_groups": [{"lr": 1e-3, "params": [0]}]},
        "args": options,
        "version": 2,
        "metric": float("inf"),
    }


def prefixed(tensors, prefix="module."):
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def save(content, path, *, zipped=True, **options):
    torch.save(content, path, _use_new_zipfile_serialization=zipped, **options)
    return path


def assert_same(found, tensors):
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@FORMS
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("layout", ["state_dict", "model", "bare"])
def test_every_layout_and_form_gives_the_same_tensors(tmp_path, tensors, zipped, prefix, layout):
    named = prefixed(tensors, prefix)
    content = {
        "state_dict": timm_saver(named),
        "model": {"model": named, "epoch": 1},
        "bare": named,
    }
    path = save(content[layout], tmp_path / "w.pth.tar", zipped=zipped)
    found = published_weights.read(path)
    assert_same(found.tensors, tensors)
    assert found.layout == layout
    assert found.sha256 == digest(path)


def test_parameters_of_a_module_and_safetensors_are_read_too(tmp_path, tensors):
    from safetensors.torch import save_file

    module = torch.nn.Linear(3, 2)
    found = published_weights.read(
        save(dict(module.named_parameters()), tmp_path / "p.pth")
    ).tensors
    assert_same(found, module.state_dict())
    assert not any(tensor.requires_grad for tensor in found.values())
    save_file(tensors, tmp_path / "w.safetensors")
    assert_same(published_weights.read(tmp_path / "w.safetensors").tensors, tensors)


def test_the_training_that_a_file_states_is_kept_without_folders(tmp_path, tensors):
    about = published_weights.read(save(timm_saver(tensors), tmp_path / "w.pth.tar")).about
    assert about["arch"] == "deit_tiny_patch16_224"
    assert about["args"] == {"model": "deit_tiny", "lr": 1e-3, "epochs": 90}
    assert "metric" not in about  # infinity is no JSON


def test_the_moving_average_is_taken_only_when_asked_for(tmp_path, tensors, caplog):
    average = {name: tensor + 1 for name, tensor in tensors.items()}
    path = save(timm_saver(tensors) | {"state_dict_ema": average}, tmp_path / "w.pth")
    assert_same(published_weights.read(path).tensors, tensors)
    assert "moving average" in caplog.text
    assert_same(published_weights.read(path, average=True).tensors, average)
    with pytest.raises(DamagedFile, match="expected weights under state_dict_ema or model_ema"):
        published_weights.read(save(timm_saver(tensors), tmp_path / "v.pth"), average=True)


class Hostile:
    """What a pickle can do: this one makes a file when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@FORMS
@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("where", ["beside", "in the options", "alone"])
def test_a_hostile_file_is_refused_by_name_and_runs_nothing(
    tmp_path, tensors, zipped, protocol, where
):
    hostile = Hostile(tmp_path / "mark")
    content = {
        "beside": {"state_dict": tensors, "extra": hostile},
        "in the options": {"state_dict": tensors, "args": argparse.Namespace(lr=hostile)},
        "alone": hostile,
    }[where]
    path = save(content, tmp_path / "w.pth", zipped=zipped, pickle_protocol=protocol)
    with pytest.raises(RefusedPickle, match=r"w\.pth asks for (posix|nt)\.mkdir"):
        published_weights.read(path)
    assert not (tmp_path / "mark").exists()
    with warnings.catch_warnings(
        action="ignore"
    ):  # the file does what it says, so the test can fail
        torch.load(path, weights_only=False)
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_is_no_file_of_torch_is_refused_by_name(tmp_path, protocol):
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(Hostile(tmp_path / "mark"), protocol))
    with pytest.raises(RefusedPickle, match=r"(posix|nt)\.mkdir"):
        published_weights.read(path)
    assert not (tmp_path / "mark").exists()


def test_a_whole_network_is_refused_by_the_name_of_its_class(tmp_path):
    path = save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(RefusedPickle, match=r"torch\.nn\.modules\.linear\.Linear"):
        published_weights.read(path)


def test_the_allowance_for_options_ends_with_the_reading(tmp_path, tensors):
    path = save(timm_saver(tensors), tmp_path / "w.pth")
    published_weights.read(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@FORMS
def test_a_truncated_file_is_named(tmp_path, tensors, zipped):
    whole = save(timm_saver(tensors), tmp_path / "w.pth", zipped=zipped).read_bytes()
    path = tmp_path / "short.pth"
    for size in [0, 1, 10, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedFile, match=r"short\.pth"):
            published_weights.read(path)


def test_a_changed_byte_is_found(tmp_path, tensors):
    whole = save(timm_saver(tensors), tmp_path / "w.pth").read_bytes()
    path = tmp_path / "changed.pth"
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        used = [name for name in archive.infolist() if name.file_size > 4]
    rng = random.Random(0)
    for member in used:  # anywhere in a member's content, beyond its header and padding
        place = whole.index(archive_bytes(tmp_path / "w.pth", member)) + rng.randrange(
            member.file_size
        )
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile, match=r"changed\.pth"):
            published_weights.read(path)


def archive_bytes(path, member):
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def test_any_damage_ends_in_one_clear_error_or_in_the_tensors(tmp_path, tensors):
    whole = save(timm_saver(tensors), tmp_path / "w.pth", zipped=False).read_bytes()
    path, rng, refused = tmp_path / "x.pth", random.Random(1), 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.randrange(1500)] = rng.randrange(256)  # where the pickles are
        path.write_bytes(damaged)
        try:
            published_weights.read(path)
        except (DamagedFile, RefusedPickle) as error:
            refused += 1
            assert "x.pth" in str(error)
    assert refused > 50


def test_a_digest_is_compared_before_anything_is_parsed(tmp_path):
    path = save(Hostile(tmp_path / "mark"), tmp_path / "w.pth")
    with pytest.raises(DamagedFile, match=r"has sha256 .*, expected 0000"):
        published_weights.read(path, sha256="0" * 64)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "huge.pth"
    with path.open("wb") as file:
        file.truncate(published_weights.LARGEST_BYTES + 1)  # sparse: takes no disk
    with pytest.raises(DamagedFile, match=r"huge\.pth has 17,179,869,185 bytes"):
        published_weights.read(path)


def test_a_packed_archive_is_refused_before_it_is_unpacked(tmp_path, tensors):
    with (
        zipfile.ZipFile(save(tensors, tmp_path / "w.pth")) as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(DamagedFile, match=r"bomb\.pth: .* is packed"):
        published_weights.read(tmp_path / "bomb.pth")


def test_an_archive_whose_members_share_their_bytes_is_refused(tmp_path, tensors):
    path = save(tensors, tmp_path / "w.pth")
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist += (
            archive.filelist * 50
        )  # the directory at the end names each member many times
        archive._didModify = True
    with pytest.raises(DamagedFile, match=r"w\.pth has [\d,]+ bytes, but its \d+ members together"):
        published_weights.read(path)


def test_a_tensor_that_repeats_its_memory_is_refused(tmp_path):
    path = save({"w": torch.zeros(1).expand(10**12)}, tmp_path / "w.pth")
    with pytest.raises(DamagedFile, match=r"w\.pth: w is not a plain array"):
        published_weights.read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds a list"),
        ({}, "holds nothing"),
        (
            {"epoch": 3, "optimizer": {}},
            "holds epoch, optimizer; expected weights under state_dict or model",
        ),
        ({"state_dict": {}}, "no tensor under the names: none"),
        ({"state_dict": {"a": 1, "b": torch.zeros(1)}}, "no tensor under the names: a"),
        ({"module.a": torch.zeros(1), "a": torch.ones(1)}, "occur twice"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a holds values that are not finite"),
        ({"a": torch.eye(2).to_sparse()}, "a is not a plain array"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path, content, words):
    with pytest.raises(DamagedFile, match=words):
        published_weights.read(save(content, tmp_path / "w.pth"))
