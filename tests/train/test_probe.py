import base64
import json

import numpy as np
import pytest
from train import tiny_training

from fdsl.io import checksums
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Preparation
from fdsl.train import Devices
from fdsl.train.probe import ProbeTask, probe, score
from fdsl.train.weights import WeightsMismatch

SETTINGS = Probe(
    precision="fp32",
    k=5,
    temperature=0.07,
    inverse_penalties=(0.01, 1.0),
    folds=3,
    tolerance=1e-4,
    max_iterations=100,
)


class Faint(tiny_training.Images):
    """Images whose kinds are hard to tell apart."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        image[:, label::4] -= 140
        return image, label


@pytest.fixture
def run(tmp_path, recipe, entry):
    """A function that probes in a folder and returns the record."""

    def run(**changes):
        devices = {
            name: changes.pop(name) for name in ("micro_batch", "loader_workers") if name in changes
        }
        settings = SETTINGS.model_copy(update=changes.pop("settings", {}))
        values = {
            "run": "scratch-tiny-stripes-s3",
            "scale": "laptop",
            "seed": 3,
            "pretraining": "scratch",
            "weights": None,
            "dataset": "stripes",
            "recipe": recipe(),
            "settings": settings,
            "model": entry,
            "train": Faint(40),
            "test": Faint(27, shift=1000),
            "classes": 4,
            "record": tmp_path / "record.json",
            "code": "abc",
            "inputs": {"manifest.json": "0" * 64},
            "environment": {"python": "3"},
            "devices": Devices(device="cpu", **devices),
        }
        probe(ProbeTask(**values | changes))
        return json.loads((tmp_path / "record.json").read_text())

    return run


class Reordered:
    """Images in another order."""

    classes = 4

    def __init__(self, source, order):
        self.source, self.order, self.labels = source, order, source.labels[order]

    def __len__(self):
        return len(self.order)

    def __getitem__(self, index):
        return self.source[int(self.order[index])]


def test_the_record_says_what_was_counted_and_how(run):
    record = run()
    result = record["result"]
    assert record["kind"] == "probe"
    assert (record["run"], record["seed"], record["model"]) == (
        "scratch-tiny-stripes-s3",
        3,
        "tiny",
    )
    assert (result["images"], result["train_images"], result["classes"], result["features"]) == (
        27,
        40,
        4,
        32,
    )
    for name in ("knn", "linear"):
        assert 0 < result[name]["correct"] <= 27
        assert result[name]["top1"] == 100 * result[name]["correct"] / 27
    assert (result["knn"]["k"], result["knn"]["temperature"]) == (5, 0.07)
    assert result["linear"]["C"] in SETTINGS.inverse_penalties
    assert result["linear"]["folds"] == 3
    assert 0 < result["linear"]["cv_accuracy"] <= 100
    assert record["inputs"] == {"manifest.json": "0" * 64}
    assert (record["environment"]["device"], record["environment"]["processes"]) == ("cpu", 1)
    assert record["checksum"] == checksums.checksum(record)
    assert record["cost"]["wall_seconds"] > 0


def test_the_record_holds_the_part_of_the_recipe_that_matters_and_no_more(run, recipe):
    record = run(recipe=recipe(lr=0.5))
    assert record["recipe"].keys() == {*Preparation.model_fields, "probe"}
    assert Preparation.model_validate({k: v for k, v in record["recipe"].items() if k != "probe"})
    assert Probe.model_validate(record["recipe"]["probe"]) == SETTINGS
    assert record["result"] == run(recipe=recipe(lr=0.1, epochs=9))["result"]


def correct(bits):
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8), count=27)


def test_it_is_the_same_again_whatever_the_batch_the_workers_and_the_order_of_test_images(run):
    expected = run()["result"]
    order = np.random.default_rng(0).permutation(27)
    assert run()["result"] == expected
    assert run(loader_workers=2)["result"] == expected
    assert run(micro_batch=5)["result"] == expected
    reordered = run(test=Reordered(Faint(27, shift=1000), order))["result"]
    for kind in ("knn", "linear"):  # which images are correct is in their order
        before, after = (found[kind].pop("correct_bits") for found in (expected, reordered))
        assert (correct(before)[order] == correct(after)).all()
        assert correct(before).sum() == expected[kind]["correct"]
    assert reordered == expected


def test_test_images_choose_nothing(run):
    class Lies(Faint):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, (label + 1) % 4

    honest, lying = run()["result"]["linear"], run(test=Lies(27, shift=1000))["result"]["linear"]
    assert honest["correct"] != lying["correct"]
    assert (honest["C"], honest["cv_accuracy"]) == (lying["C"], lying["cv_accuracy"])


def test_the_seed_decides_the_network_of_a_run_from_scratch(run):
    # the folds are no part of k-NN
    assert run(seed=4)["result"]["knn"] != run(seed=5)["result"]["knn"]


def test_weights_of_a_pretraining_are_taken(run, tmp_path):
    tiny_training.pretrain(tmp_path / "stripes", recipe=tiny_training.recipe(epochs=12, mean=0.4))
    weights = tmp_path / "stripes" / "model.safetensors"
    taught = run(pretraining="stripes", weights=weights)["result"]
    fresh = run()["result"]
    assert taught["linear"]["correct"] > fresh["linear"]["correct"]
    # with the weights given, the seed is left with the folds
    other = run(pretraining="stripes", weights=weights, seed=8)["result"]
    assert other["knn"] == taught["knn"]


def test_weights_of_another_network_are_refused(run, tmp_path, entry):
    tiny_training.pretrain(tmp_path / "stripes", recipe=tiny_training.recipe(epochs=1))
    wider = entry.model_copy(update={"arguments": entry.arguments | {"embed_dim": 64}})
    with pytest.raises(WeightsMismatch, match="does not belong to this network"):
        run(pretraining="stripes", weights=tmp_path / "stripes" / "model.safetensors", model=wider)


def test_names_and_weights_that_do_not_fit_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match="scratch has no weights"):
        run(pretraining="stripes")
    with pytest.raises(ValueError, match="scratch has no weights"):
        run(weights=tmp_path / "model.safetensors")


def test_edge_cases_are_refused_before_the_network_is_built(run, monkeypatch):
    monkeypatch.setattr("fdsl.train.models.build", None)

    class One(Faint):
        def __init__(self, n):
            super().__init__(n)
            self.labels[:] = 0

    with pytest.raises(ValueError, match="hold 1 class"):
        run(train=One(9))
    with pytest.raises(ValueError, match="class 1 has one training image"):
        run(train=Faint(5))
    with pytest.raises(ValueError, match="k = 41 neighbours of 40 training images"):
        run(settings={"k": 41})
    with pytest.raises(ValueError, match="the test images of stripes are none"):
        run(test=Faint(0))
    with pytest.raises(ValueError, match="4 classes in its train images, 5 are stated"):
        run(classes=5)


def test_several_processes_are_refused(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match="2 processes were started; a probe is one process"):
        run()


def test_counts_are_exact():
    features = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    labels = np.arange(40) % 4
    truth = labels.copy()
    truth[:3] += 1
    found = score((features, labels), (features, truth), settings=SETTINGS, seed=0)
    assert found["knn"]["correct"] == found["linear"]["correct"] == 37
    assert found["linear"]["cv_accuracy"] == 100
