"""Reading records: what is accepted, and what is refused by name."""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from fdsl.io.storage import DamagedFile, write_checksummed
from fdsl.report.read_runs import RecordRefused, read_pretrainings, read_record, read_runs


def packed(bits):
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


BITS = packed(np.arange(10_000) < 8_999)
TOO_LONG = packed(np.arange(10_008) >= 1_008)


def edit(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8"))
    content["result"] |= changes.pop("result", {})
    path.write_text(json.dumps(content | changes), encoding="utf-8")
    return path


def test_a_run_has_the_accuracy_of_its_counts(record):
    runs = read_runs([record("rcdb1k", "cifar10", 2, 9_123)], scale="paper")
    assert runs.loc[0, ["pretraining", "downstream", "seed", "images"]].tolist() == [
        "rcdb1k",
        "cifar10",
        2,
        10_000,
    ]
    assert runs.loc[0, "score"] == pytest.approx(91.23)


def test_the_order_and_repetition_of_paths_do_not_matter(record):
    paths = [record("rcdb1k", "cifar10", seed, 9_000 + seed) for seed in range(4)]
    expected = read_runs(paths, scale="paper")
    assert read_runs([*reversed(paths), *paths], scale="paper").equals(expected)


def test_no_records_are_no_runs():
    assert read_runs([], scale="paper").empty


def test_a_truncated_record_is_refused_by_name(record):
    path = record("rcdb1k", "cifar10", 0, 9_000)
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(
        DamagedFile, match=r"rcdb1k-vit_tiny-cifar10-s0/record\.json is not valid JSON"
    ):
        read_record(path, scale="paper")


def test_a_sealed_record_with_a_changed_digit_is_refused(record):
    path = record("rcdb1k", "cifar10", 0, 9_000)
    write_checksummed(path, json.loads(path.read_text()))
    assert read_record(path, scale="paper").seed == 0
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DamagedFile, match=r"record\.json was changed after it was written"):
        read_record(path, scale="paper")


def test_a_file_that_is_no_object_is_refused(record):
    path = record("rcdb1k", "cifar10", 0, 9_000)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(DamagedFile, match="holds list"):
        read_record(path, scale="paper")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"result": {"correct": 10_001, "top1_last": 100.0}},
            "10001 correct of 10000 images is impossible",
        ),
        ({"result": {"images": 0}}, "result.images = 0"),
        ({"result": {"correct": -1}}, "result.correct = -1"),
        ({"result": {"images": "10000"}}, "result.images = '10000'"),
        (
            {"result": {"top1_last": 0.9}},
            "top1_last = 0.9 is not 9000 of 10000 images, which is 90.0000",
        ),
        ({"result": {"correct_bits": "%"}}, "correct_bits is not base64"),
        ({"result": {"correct_bits": "AAAA"}}, "correct_bits has 3 bytes, which are not 10000 ima"),
        ({"result": {"correct_bits": BITS}}, "correct_bits has 8999 images, but correct = 9000"),
        ({"result": {"correct_bits": TOO_LONG}}, "bytes, which are not 10000 images"),
        ({"result": {"top1_last": float("nan")}}, "result.top1_last = nan"),
        ({"seed": -1}, "seed = -1"),
        ({"kind": "pretrain"}, "kind = 'pretrain'"),
        ({"scale": "laptop"}, "is of scale 'laptop', the table is of scale 'paper'"),
    ],
)
def test_an_impossible_record_is_refused_by_name(record, changes, says):
    path = edit(record("rcdb1k", "cifar10", 0, 9_000), **changes)
    with pytest.raises(RecordRefused) as refused:
        read_record(path, scale="paper")
    assert says in str(refused.value)
    assert path.as_posix() in str(refused.value)


def test_a_missing_field_is_refused(record):
    path = record("rcdb1k", "cifar10", 0, 9_000)
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["result"]["correct"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecordRefused, match=r"result\.correct is missing"):
        read_record(path, scale="paper")


def test_what_a_newer_record_adds_is_left_alone(record):
    read_record(edit(record("rcdb1k", "cifar10", 0, 9_000), energy_joules=5), scale="paper")


def test_two_records_of_one_run_are_refused_with_both_names(record, folder):
    path = record("rcdb1k", "cifar10", 0, 9_000)
    copy = folder / "copy.json"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(
        RecordRefused,
        match=r"copy\.json and .*record\.json are both rcdb1k on cifar10 of replicate 0",
    ):
        read_runs([path, copy], scale="paper")


def test_one_dataset_is_evaluated_on_one_number_of_images(record):
    paths = [
        record("rcdb1k", "cifar10", 0, 9_000),
        record("scratch", "cifar10", 0, 900, images=1_000),
    ]
    with pytest.raises(
        RecordRefused,
        match=r"cifar10 was evaluated on different numbers of images: 1000 in .*10000 in ",
    ):
        read_runs(paths, scale="paper")


def test_frozen_features_and_detection_have_scores_of_their_own(record):
    counts = {"images": 200, "knn": {"correct": 50, "k": 20}, "linear": {"correct": 80}}
    probe = record("rcdb1k", "digits", 0, 1, kind="probe", result=counts)
    runs = read_runs([probe], scale="paper").set_index("evaluation")
    assert runs["score"].to_dict() == {"knn": 25.0, "linear": 40.0}
    boxes = {"ap50": 60.0, "ap": 40.0, "ap75": 42.0}
    found = {"images": 10, "box": boxes, "mask": {**boxes, "ap": 38.5}}
    detect = record("rcdb1k", "coco2017", 0, 1, kind="detect", result=found)
    runs = read_runs([detect], scale="paper").set_index("evaluation")
    assert runs["score"].to_dict() == {
        "box_ap50": 60.0,
        "box_ap": 40.0,
        "box_ap75": 42.0,
        "mask_ap50": 60.0,
        "mask_ap": 38.5,
        "mask_ap75": 42.0,
    }


RANKED = {
    "metric": "mAP",
    "images": 5823,
    "average_precision": [80.0, 90.0, 70.5],
    "map_last": 80.1667,
    "epochs": 3,
}


def ranked(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8"))
    content["result"] = RANKED | changes
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_record_of_several_labels_gives_the_mean_of_its_classes(record):
    path = ranked(record("rcdb1k", "voc12_multilabel", 0, 1))
    runs = read_runs([path, record("rcdb1k", "cifar10", 0, 9_123)], scale="paper")
    found = dict(
        zip(runs["downstream"], zip(runs["evaluation"], runs["score"], strict=True), strict=True)
    )
    assert found["cifar10"] == ("finetune", pytest.approx(91.23))
    assert found["voc12_multilabel"] == ("map", pytest.approx(240.5 / 3))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"map_last": 80.0},
            r"map_last = 80\.0 is not the mean of average_precision, which is 80\.1667",
        ),
        ({"average_precision": [80.0, 101.0, 59.5]}, r"average_precision\.1 = 101"),
        ({"average_precision": []}, "average_precision"),
        ({"images": 0}, r"result\.images = 0"),
        ({"metric": "AP"}, "result"),
    ],
)
def test_an_impossible_record_of_several_labels_is_refused(record, changes, says):
    path = ranked(record("rcdb1k", "voc12_multilabel", 0, 1), **changes)
    with pytest.raises(RecordRefused, match=says):
        read_record(path, scale="paper")


def test_which_images_were_correct_is_kept(record):
    bits = np.random.default_rng(0).random(360) < 0.7
    result = {"correct_bits": packed(bits)}
    path = edit(record("rcdb1k", "digits", 0, int(bits.sum()), images=360), result=result)
    runs = read_runs([path, record("scratch", "digits", 0, 9, images=360)], scale="paper")
    kept = runs.set_index("pretraining")["correct_bits"]
    unpacked = np.unpackbits(np.frombuffer(kept["rcdb1k"], np.uint8))[:360]
    assert (unpacked == bits).all()
    assert kept["scratch"] is None


def pretrained(path, **result):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"kind": "pretrain", "result": result}), encoding="utf-8")
    return path


def test_a_pretraining_may_have_no_accuracy(record):
    known = pretrained(record("rcdb1k", "x", 1, 1), accuracy_last_epoch=40.5, chance=1.0, steps=9)
    bare = pretrained(record("scratch", "x", 0, 1), steps=9)
    found = read_pretrainings([bare, known], scale="paper").set_index("pretraining")
    assert found.loc["rcdb1k"].tolist() == [1, 40.5, 1.0]
    assert pd.isna(found.loc["scratch", "accuracy"])
    assert read_pretrainings([], scale="paper").empty


@pytest.mark.parametrize(
    ("result", "scale", "says"),
    [
        ({"accuracy_last_epoch": 101.0}, "paper", r"result\.accuracy_last_epoch = 101"),
        ({"chance": 0.0}, "paper", r"result\.chance = 0"),
        ({}, "laptop", "is of scale 'paper', the table is of scale 'laptop'"),
    ],
)
def test_an_impossible_pretraining_is_refused(record, result, scale, says):
    path = pretrained(record("rcdb1k", "x", 1, 1), **result)
    with pytest.raises(RecordRefused, match=says):
        read_pretrainings([path], scale=scale)


def test_bits_beyond_the_images_are_refused(record):
    path = record("rcdb1k", "digits", 0, 9, images=9)
    edit(path, result={"correct_bits": packed(np.ones(10, bool))})
    with pytest.raises(RecordRefused, match="correct_bits has 2 bytes, which are not 9 images"):
        read_runs([path], scale="paper")
