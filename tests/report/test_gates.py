"""Gates of invented records, passed, failed and not checked."""

import pandas as pd
import pytest

from fdsl.report.gates import check_gates, summary
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.study.gates import Gates
from fdsl.schema.study.tables import Column

DIGITS = Column(label="Digits", dataset="digits")


def runs_of(scores):
    rows = [
        (row, "digits", "vit", evaluation, seed, float(score), f"{row}-{evaluation}-{seed}")
        for (row, evaluation), values in scores.items()
        for seed, score in enumerate(values)
    ]
    columns = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "record"]
    return pd.DataFrame(rows, columns=columns).assign(correct_bits=None)


def checked(asked, scores=None, *, accuracy=(), rows=("shapes",)):
    columns = ["pretraining", "seed", "accuracy", "chance"]
    pretrained = pd.DataFrame(accuracy, columns=columns).astype({"accuracy": float})
    return check_gates(
        validate(Gates, asked, where="scale"),
        rows,
        runs=runs_of(scores or {}),
        pretrained=pretrained,
        columns=[DIGITS],
    )


@pytest.mark.parametrize(
    ("accuracies", "value", "passed"),
    [([30.0, 5.0], 5.0, True), ([30.0, 4.9], 4.9, False), ([None], None, None), ([], None, None)],
)
def test_the_worst_replicate_must_have_learned(accuracies, value, passed):
    accuracy = [("shapes", seed, found, 1.0) for seed, found in enumerate(accuracies)]
    asked = {"pretraining_accuracy": 5.0}
    (gate,) = checked(asked, accuracy=accuracy, rows=["scratch", "shapes"])
    assert (gate.row, gate.limit, gate.passed) == ("shapes", 5.0, passed)
    assert gate.value == (pytest.approx(value) if value is not None else None)


@pytest.mark.parametrize(
    ("tuned", "probe", "value", "passed"),
    [
        ([60, 62], [61, 63], -1.0, True),
        ([60, 62], [61.5, 63], -1.25, False),
        ([60, 62], [61], -1.0, True),
        ([60, 62], [], None, None),
    ],
)
def test_fine_tuning_must_not_end_below_a_linear_probe(tuned, probe, value, passed):
    scores = {("shapes", "finetune"): tuned, ("shapes", "linear"): probe}
    (gate,) = checked({"finetune_beats_probe": 1.0}, scores)
    assert (gate.dataset, gate.value, gate.limit, gate.passed) == ("Digits", value, -1.0, passed)


@pytest.mark.parametrize(
    ("real", "passed"),
    [([70, 71, 72], True), ([50, 51, 52], False), ([55, 60, 71], False), ([70], None), ([], None)],
)
def test_labelled_real_images_must_beat_scratch(real, passed):
    scores = {("real", "finetune"): real, ("scratch", "finetune"): [60, 60, 60]}
    (gate,) = checked({"positive_control": {"pretraining": "real"}}, scores)
    assert (gate.row, gate.passed) == ("real beats scratch", passed)


@pytest.mark.parametrize(
    ("shuffled", "must", "passed"),
    [
        ([70, 71, 72], "not beat", False),
        ([58, 60, 63], "not beat", True),
        ([58, 60, 63], "stay below", False),
        ([50, 51, 52], "stay below", True),
        ([50], "not beat", None),
    ],
)
def test_shuffled_labels_must_not_help(shuffled, must, passed):
    scores = {("shuffled", "finetune"): shuffled, ("twin", "finetune"): [60, 60, 60]}
    control = {"pretraining": "shuffled", "than": "twin", "must": must}
    (gate,) = checked({"negative_control": control}, scores)
    assert gate.passed is passed


def test_the_summary_names_what_failed():
    accuracy = [("shapes", 0, 2.0, 1.0), ("noise", 0, 9.0, 1.0)]
    rows = ["shapes", "noise", "leaves"]
    found = checked({"pretraining_accuracy": 5.0}, accuracy=accuracy, rows=rows)
    assert summary(found) == "1 passed, 1 failed (pretraining_accuracy of shapes), 1 not checked"
    assert [gate.shown_value for gate in found] == ["× 2.00", "× 9.00", "–"]
    assert checked({}) == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"pretraining_accuracy": 1.0}, "pretraining_accuracy"),
        ({"finetune_beats_probe": -1}, "finetune_beats_probe"),
        ({"negative_control": {"pretraining": "x", "must": "win"}}, "negative_control.must"),
    ],
)
def test_an_impossible_gate_is_refused(asked, says):
    with pytest.raises(ConfigError, match=says):
        validate(Gates, asked, where="scale")
