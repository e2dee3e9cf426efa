import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from fdsl.io.storage import DamagedFile
from fdsl.schema.catalogue import ModelEntry
from fdsl.train import models, weights
from fdsl.train.weights import WeightsMismatch


def make(entry, *, size=16, classes=4, seed=0):
    return models.build(entry, image_size_px=size, classes=classes, drop_path=0.0, seed=seed)


def test_saved_bytes_depend_on_content_alone(tmp_path, entry):
    about = {f"key{number}": number for number in range(8)}
    weights.save(tmp_path / "a", make(entry), metadata=about)
    weights.save(tmp_path / "b", make(entry), metadata=dict(reversed(about.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert weights.read(tmp_path / "a")[1] == about


@pytest.mark.parametrize("text", ["no JSON", "[1]", "[" * 100_000, "9" * 5000])
def test_metadata_of_others_that_are_not_ours_are_one_error(tmp_path, text):
    save_file({"a": torch.zeros(1)}, tmp_path / "w", metadata={weights.METADATA: text})
    with pytest.raises(DamagedFile, match="w holds no digest of its content"):
        weights.read(tmp_path / "w")


def test_body_is_taken_and_head_stays_fresh_even_with_equal_classes(tmp_path, entry):
    source, target = make(entry, seed=1), make(entry, seed=2)
    fresh = target.head.weight.clone()
    weights.save(tmp_path / "w", source, metadata={})
    weights.load(target, tmp_path / "w")
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, fresh if name == "head.weight" else source.state_dict()[name])


def test_head_of_another_size_is_fresh(tmp_path, entry):
    weights.save(tmp_path / "w", make(entry, classes=4), metadata={})
    target = make(entry, classes=7, seed=2)
    weights.load(target, tmp_path / "w")
    assert target.head.weight.shape == (7, 32)


def test_position_embedding_is_resampled_to_another_image_size(tmp_path, entry, caplog):
    source = make(entry, size=16)
    with torch.no_grad():
        source.pos_embed[:] = torch.arange(5.0)[None, :, None]
    weights.save(tmp_path / "w", source, metadata={})
    target = make(entry, size=32)
    weights.load(target, tmp_path / "w")
    assert target.pos_embed.shape == (1, 17, 32)
    assert torch.equal(target.pos_embed[:, 0], source.pos_embed[:, 0])  # the class token's
    patches = target.pos_embed[0, 1:, 0].reshape(4, 4)
    assert (patches.diff(dim=0) > 0).all()
    assert (patches.diff(dim=1) > 0).all()
    assert "resampled from 2 × 2 to 4 × 4" in caplog.text


def other(entry, **arguments):
    return entry.model_copy(update={"arguments": entry.arguments | arguments})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"depth": 3}, r"missing in the file: blocks\.2"),
        ({"depth": 1}, r"unknown to the network: blocks\.1"),
        ({"embed_dim": 16}, r"of another shape: .*cls_token \(1, 1, 32\) for \(1, 1, 16\)"),
        ({"in_chans": 3}, r"patch_embed\.proj\.weight \(32, 1, 8, 8\) for \(32, 3, 8, 8\)"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(tmp_path, entry, caplog, change, text):
    weights.save(tmp_path / "w", make(entry), metadata={})
    target = make(other(entry, **change), seed=2)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(WeightsMismatch, match=text):
        weights.load(target, tmp_path / "w")
    assert "does not" not in caplog.text
    assert caplog.records[-1].levelname == "ERROR"
    assert all(torch.equal(tensor, before[n]) for n, tensor in target.state_dict().items())


def test_a_truncated_file_is_named(tmp_path, entry):
    path = tmp_path / "w.safetensors"
    weights.save(path, make(entry), metadata={})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFile, match=r"w\.safetensors"):
        weights.load(make(entry), path)


def test_no_single_flipped_bit_is_loaded(tmp_path, entry):
    path = tmp_path / "w.safetensors"
    weights.save(path, make(entry), metadata={"run": "a-s0", "classes": 4})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(0, header, 150), *rng.integers(header, len(whole), 150)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile, match=r"w\.safetensors .*run the same command again"):
            weights.read(path)
    path.write_bytes(whole)
    assert weights.read(path)[1] == {"run": "a-s0", "classes": 4}


def test_a_file_that_others_wrote_is_not_taken_for_ours(tmp_path, entry):
    save_file(make(entry).state_dict(), tmp_path / "w")
    with pytest.raises(DamagedFile, match="not ours"):
        weights.load(make(entry), tmp_path / "w")
    assert weights.read_foreign(tmp_path / "w").keys() == make(entry).state_dict().keys()


def test_a_full_disk_is_an_error_of_the_system(tmp_path, entry, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match=r"No space left on device .*/w'"):
        weights.save(tmp_path / "w", make(entry), metadata={})
    assert not list(tmp_path.iterdir())


SWIN = ModelEntry(
    timm="swin_tiny_patch4_window7_224",
    arguments={"embed_dim": 12, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
)
TABLE = "layers.1.blocks.0.attn.relative_position_bias_table"


def test_relative_positions_follow_the_window_to_another_image_size(tmp_path, caplog):
    source = make(SWIN, size=32, seed=1)  # stages of 8 and 4 patches a side: windows of 4 and 4
    with torch.no_grad():
        rows = torch.arange(7.0).repeat_interleave(7)  # grows with the vertical distance alone
        source.get_submodule(TABLE.rpartition(".")[0]).relative_position_bias_table[:] = rows[
            :, None
        ]
    weights.save(tmp_path / "w", source, metadata={})
    target = make(SWIN, size=16, classes=7, seed=2)  # stages of 4 and 2: windows of 4 and 2
    weights.load(target, tmp_path / "w")
    ours, theirs = target.state_dict(), source.state_dict()
    assert ours[TABLE].shape == (9, 2)
    table = ours[TABLE][:, 0].reshape(3, 3)
    assert (table.diff(dim=0) > 0).all()
    assert torch.allclose(table.diff(dim=1), torch.zeros(3, 2), atol=1e-4)
    assert f"{TABLE} resampled to windows of 2 × 2" in caplog.text
    for name, tensor in ours.items():
        if name != TABLE and not name.startswith("head.fc."):
            assert torch.equal(tensor, theirs[name]), name
    assert not torch.equal(ours["head.fc.weight"][:4], theirs["head.fc.weight"])
    assert target.eval()(torch.zeros(1, 3, 16, 16)).shape == (1, 7)


def test_relative_positions_of_other_heads_are_refused(tmp_path):
    weights.save(tmp_path / "w", make(SWIN, size=32), metadata={})
    with pytest.raises(WeightsMismatch, match=r"relative_position_bias_table \(49, 2\) for"):
        weights.load(make(other(SWIN, num_heads=[1, 3]), size=32), tmp_path / "w")


def test_the_body_of_a_resnet_is_taken_at_any_size_and_its_head_is_fresh(tmp_path):
    resnet = ModelEntry(timm="resnet18", arguments={"in_chans": 1})
    source = make(resnet, seed=1)
    source.bn1.running_mean += 1  # buffers are a part of the body
    weights.save(tmp_path / "w", source, metadata={})
    target = make(resnet, size=64, classes=4, seed=2)
    fresh = target.fc.weight.clone()
    weights.load(target, tmp_path / "w")
    assert torch.equal(target.fc.weight, fresh)
    for name, tensor in target.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(tensor, source.state_dict()[name]), name
