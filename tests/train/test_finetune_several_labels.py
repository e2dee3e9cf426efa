"""A fine-tuning on images with several labels, from recipe to record."""

import json

import pytest
from train.tiny_training import Images, Mixtures, everything_random, finetune, recipe

from fdsl.report.read_runs import read_record


def run(folder, *, train=None, test=None, evaluate_every_epochs=0, **changes):
    values = {"objective": "binary", "epochs": 30, "lr": 5e-3} | changes
    finetune(
        folder,
        recipe=recipe(**values),
        train=train or Mixtures(64),
        test=test or Mixtures(27, shift=1000),
        evaluate_every_epochs=evaluate_every_epochs,
    )
    return json.loads((folder / "record.json").read_text())


def test_it_learns_and_leaves_a_record_that_tables_can_read(tmp_path):
    found = run(tmp_path, evaluate_every_epochs=10)
    result = found["result"]
    assert result["metric"] == "mAP"
    assert result["images"] == 27
    assert result["map_last"] > 90
    assert result["map_last"] == pytest.approx(sum(result["average_precision"]) / 4)
    assert [entry["epoch"] for entry in result["evaluations"]] == [10, 20, 30]
    scores = [entry["mean_average_precision"] for entry in result["evaluations"]]
    assert result["map_last"] == scores[-1]
    assert not {"correct", "correct_bits", "map_best", "best_epoch"} & result.keys()
    assert "top1_last" not in result
    assert found["recipe"]["objective"] == "binary"
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    judged = [line for line in lines if line["kind"] == "evaluation"]
    assert [line["mean_average_precision"] for line in judged] == scores
    record = read_record(tmp_path / "record.json", scale="laptop")
    assert record.result.scores() == {"map": pytest.approx(result["map_last"])}


def test_it_trains_with_everything_that_draws_random_numbers(tmp_path):
    changes = everything_random(epochs=2, objective="binary").model_dump()
    augmentation = changes.pop("augmentation")
    first = run(tmp_path / "a", **changes, **augmentation)
    again = run(tmp_path / "b", **changes, **augmentation)
    assert first["result"] == again["result"]
    weights = "model.safetensors"
    assert (tmp_path / "a" / weights).read_bytes() == (tmp_path / "b" / weights).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "cross_entropy"}, "has several labels: use binary"),
        ({"train": Images(50), "test": Images(27)}, "has one label: use cross_entropy"),
        ({"test": Mixtures(2)}, "no test image of stripes shows class 2"),
        ({"train": Mixtures(2)}, "no train image of stripes shows class 2"),
    ],
)
def test_what_does_not_go_together_is_refused_before_training(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **changes)
    assert not (tmp_path / "metrics.jsonl").exists()
