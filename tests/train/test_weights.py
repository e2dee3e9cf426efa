import pytest
import torch

from fdsl.storage import DamagedFile
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
