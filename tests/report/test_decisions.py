"""Claims against sums done by hand, at each verdict."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fdsl.report import statistics
from fdsl.report.claims import FILES, write_claims
from fdsl.report.decisions import decide_all
from fdsl.report.gates import Gate
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column

COLUMNS = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "record"]
COLUMNS += ["images", "correct_bits"]
FULL = ReportScale(name="paper", title="paper scale", banner="published budget", comparable=True)
SMALL = ReportScale(
    name="small",
    title="small scale",
    banner="reduced",
    comparable=False,
    stand_ins=(Column(label="Digits", dataset="a"),),
    models=("vit",),
    reduced={"noise": "ten images"},
    reasons={"a:finetune": "stand-ins in place of A", "b:finetune": "stand-ins in place of B"},
)
PRINTED = pd.DataFrame(
    [
        ("t", "Shapes", "A", "top-1 %", "70.0"),
        ("t", "Shapes", "B", "top-1 %", "80.0"),
        ("t", "Noise", "A", "top-1 %", "60.0"),
        ("t", "Noise", "B", "top-1 %", ""),
    ],
    columns=["table", "row", "column", "metric", "published"],
)

EQUIVALENT = {"kind": "equivalent", "margin_points": 2.0}


def study(others=None, **claim):
    table = {
        "title": "t",
        "caption": "c",
        "metric": "top-1 %",
        "columns": [
            {"label": "A", "dataset": "a"},
            {"label": "B", "dataset": "b"},
            {"label": "Average", "dataset": None},
        ],
        "rows": [
            {"label": "Shapes", "pretraining": "shapes"},
            {"label": "Noise", "pretraining": "noise"},
        ],
    }
    values = {
        "sentence": "s",
        "stated": "p",
        "table": "t",
        "better": ["shapes"],
        "worse": ["noise"],
    }
    claims = {"c": values | claim} | {
        name: values | other for name, other in (others or {}).items()
    }
    return validate(
        Study,
        {"title": "x", "reference": "y", "tables": {"t": table}, "claims": claims},
        where="study",
    )


def runs_of(scores, bits=None):
    rows = [
        (p, d, "vit", "finetune", seed, float(score), f"{p}-{d}-{seed}", 8, (bits or {}).get(p))
        for (p, d), values in scores.items()
        for seed, score in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def decided(scores, *, scale=FULL, bits=None, others=None, gates=(), difficulty=None, **claim):
    found = decide_all(
        study(others, **claim),
        {"t": scale},
        runs=runs_of(scores, bits),
        printed=PRINTED,
        gates=gates,
        difficulty=difficulty,
    )
    return found if others else found[0]


def against(better, **options):
    return decided({("shapes", "a"): better, ("noise", "a"): [60] * len(better)}, **options)


def test_claims_stand_in_the_order_of_tables_and_figures(contours):
    places = [*contours.tables, *contours.figures]
    scales = dict.fromkeys(places, FULL)
    found = decide_all(contours, scales, runs=runs_of({}), printed=PRINTED)
    assert {decision.name for decision in found} == contours.claims.keys()
    order = [places.index(decision.claim.table) for decision in found]
    assert order == sorted(order)
    assert order[-1] > len(contours.tables)


def test_the_effect_is_paired_by_replicate_and_averaged_over_datasets():
    found = decided(
        {
            ("shapes", "a"): [70, 75, 99],
            ("noise", "a"): [60, 70],
            ("shapes", "b"): [50, 50],
            ("noise", "b"): [48, 49],
        }
    )
    effects = [(10 + 2) / 2, (5 + 1) / 2]
    test = stats.ttest_1samp(effects, 0)
    assert found.effect == pytest.approx(np.mean(effects))
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert (found.p, found.p_holm) == pytest.approx((test.pvalue, test.pvalue))
    assert (found.p_sign_flip, found.level) == (0.5, 0.95)
    assert (found.replicates, found.datasets) == (2, ("A", "B"))
    assert found.published == pytest.approx(10.0)  # B of Noise is a printed dash


@pytest.mark.parametrize(
    ("better", "claim", "full", "small"),
    [
        ([71, 72, 73], {}, "reproduced", "same direction"),
        ([49, 48, 47], {}, "not reproduced", "opposite direction"),
        ([71, 72, 73], {"margin_points": 20}, "not reproduced", "opposite direction"),
        ([59.8, 60, 60.1], EQUIVALENT, "reproduced", "same direction"),
        ([79, 80, 81], EQUIVALENT, "not reproduced", "opposite direction"),
        ([39, 40, 41], EQUIVALENT, "not reproduced", "opposite direction"),
        ([50, 60, 71], {}, "undecided (n > 1000 would decide)", None),
        ([61, 62, 66], {}, "undecided (n ≈ 9 would decide)", None),
        ([58.5, 60, 61.5], EQUIVALENT, "undecided (n ≈ 7 would decide)", None),
        ([61], {}, "undecided (one replicate)", None),
        ([61, 61, 61], {}, "undecided (no spread)", None),
    ],
)
def test_each_verdict(better, claim, full, small):
    assert against(better, **claim).verdict == full
    reduced = against(better, scale=SMALL, **claim)
    assert reduced.verdict == (small or full)
    assert reduced.note.startswith("on stand-ins")


def test_the_number_that_would_decide_is_that_of_the_power_calculation():
    found = against([61, 62, 66])
    sd = np.std([1, 2, 6], ddof=1)
    assert found.n_to_decide == statistics.replicates_to_decide(
        3.0, sd, margin=0, equivalent=False, error=0.05
    )


def test_equivalence_has_an_interval_of_90_percent():
    found = against([59.8, 60, 60.1], **EQUIVALENT)
    expected = stats.ttest_1samp([-0.2, 0, 0.1], 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (found.level, found.p_sign_flip) == (0.9, None)
    assert "(90%)" in found.our_effect


def test_all_tested_claims_of_a_study_share_the_error():
    others = {f"other{k}": {"sentence": "x"} for k in range(12)}
    untested = {"untested": {"columns": ["B"]}}
    scores = {("shapes", "a"): [66, 68, 71], ("noise", "a"): [60, 60, 60]}
    alone = decided(scores)
    found = {d.name: d for d in decided(scores, others=others | untested)}
    assert alone.verdict == "reproduced"
    assert found["c"].p == pytest.approx(alone.p)
    assert found["c"].p_holm == pytest.approx(13 * alone.p)
    assert found["c"].verdict.startswith("undecided (n ≈ ")
    assert found["c"].n_to_decide == statistics.replicates_to_decide(
        25 / 3, np.std([6, 8, 11], ddof=1), margin=0, equivalent=False, error=0.05 / 13
    )
    assert found["untested"].p_holm is None


def test_one_replicate_has_the_interval_over_images():
    shapes, noise = [1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 0, 1, 0]
    bits = {"shapes": np.packbits(shapes).tobytes(), "noise": np.packbits(noise).tobytes()}
    scores = {("shapes", "a"): [75], ("noise", "a"): [50]}
    found = decided(scores, bits=bits)
    expected = 100 * np.subtract(shapes, noise)
    assert found.effect == expected.mean() == 25
    half = 1.959964 * stats.sem(expected)
    assert (found.low, found.high) == pytest.approx((25 - half, 25 + half))
    assert "this pair of networks only" in found.note
    assert (found.verdict, found.p) == ("undecided (one replicate)", None)
    assert decided(scores).low is None


def test_what_was_not_run_is_named():
    found = decided({("shapes", "a"): [1, 2]})
    assert (found.verdict, found.effect, found.note) == ("not run", None, "no records of noise")


@pytest.mark.parametrize(
    ("claim", "difficulty", "reason"),
    [
        ({"columns": ["A"]}, {}, "column A of t is not measured"),
        ({"needs": {"datasets": ["B"]}}, {}, "column B of t is not measured"),
        ({"needs": {"network": "vit_base"}}, {}, "needs vit_base; trained: vit"),
        (
            {"needs": {"published_images": ["noise"]}},
            {},
            "needs noise as published; here: ten images",
        ),
        (
            {"needs": {"difficulty_ratio": 3}},
            {"shapes": 40.0, "noise": 4.0},
            "difficulty of the images differs by a factor of 10.0, more than 3",
        ),
    ],
)
def test_a_claim_without_what_it_needs_is_not_tested(claim, difficulty, reason):
    found = against([71, 72, 73], scale=SMALL, difficulty=difficulty, **claim)
    assert found.verdict == f"not testable here: {reason}"
    assert (found.effect, found.p, found.p_holm, found.replicates) == (None, None, None, 0)


def test_a_column_of_the_paper_that_is_at_hand_counts_beside_the_stand_ins():
    """As CIFAR does at laptop scale, where it lies in data_root."""
    at_hand = SMALL.model_copy(update={"reasons": {"a:finetune": "stand-ins in place of A"}})
    scores = {("shapes", "a"): [70, 75], ("noise", "a"): [60, 70]}
    scores |= {("shapes", "b"): [50, 50], ("noise", "b"): [48, 49]}
    assert decided(scores, scale=SMALL).datasets == ("Digits",)
    both = decided(scores, scale=at_hand)
    assert (both.datasets, both.effect) == (("Digits", "B"), (6 + 3) / 2)
    assert both.note.startswith("on stand-ins")
    needed = decided(scores, scale=at_hand, needs={"datasets": ["B"]})
    assert needed.effect == both.effect


def test_needs_that_are_met_do_not_hinder():
    needs = {"datasets": ["A"], "network": "vit", "published_images": ["noise"]}
    scale = FULL.model_copy(update={"models": ("vit",)})
    needs["difficulty_ratio"] = 3
    unequal = {"shapes": 40.0, "noise": 4.0}  # as published, so not asked for
    found = against([71, 72, 73], scale=scale, difficulty=unequal, needs=needs)
    assert found.verdict == "reproduced"
    equal = against(
        [71, 72, 73],
        scale=SMALL,
        difficulty={"shapes": 8.0, "noise": 4.0},
        needs={"difficulty_ratio": 3},
    )
    assert equal.verdict == "same direction"
    unknown = against([71, 72, 73], scale=SMALL, needs={"difficulty_ratio": 3})
    assert "difficulty of the images not measured" in unknown.note


def test_a_needed_dataset_must_have_records():
    found = against([71, 72, 73], needs={"datasets": ["B"]})
    assert found.verdict == "not testable here: no records on B"


def test_a_row_that_the_scale_skips_is_not_testable():
    scale = SMALL.model_copy(update={"reasons": {"noise": "too large"}})
    found = decided({}, scale=scale)
    assert found.verdict == "not testable here: noise: too large"


def gate(row="noise", dataset="", *, passed=False, name="pretraining_accuracy"):
    return Gate(gate=name, row=row, dataset=dataset, value=1.0, limit=2.0, passed=passed, note="")


@pytest.mark.parametrize(
    ("failed", "says"),
    [
        (gate(), "instrument not valid: pretraining_accuracy of noise"),
        (
            gate(dataset="A", name="finetune_beats_probe"),
            "instrument not valid: finetune_beats_probe of noise on A",
        ),
        (
            gate("x beats y", name="positive_control"),
            "instrument not valid: positive_control of x beats y",
        ),
        (gate(dataset="B"), "reproduced"),
        (gate("others"), "reproduced"),
        (gate(passed=None), "reproduced"),
        (gate(passed=True), "reproduced"),
    ],
)
def test_a_row_whose_gate_fails_gives_no_verdict(failed, says):
    found = against([71, 72, 73], gates=[failed])
    assert found.verdict == says
    assert found.p_holm == found.p  # the family does not depend on gates


def test_imagenet21k_is_not_replaced_by_stand_ins(contours, laptop):
    scales = dict.fromkeys([*contours.tables, *contours.figures], laptop)
    scales["table4"] = laptop.model_copy(
        update={
            "models": ("vit_micro",),
            "reduced": {"imagenet21k_supervised": "Fashion-MNIST pictures"},
            "reasons": {c.measure: "stand-ins" for c in contours.tables["table4"].columns},
        }
    )
    found = decide_all(contours, scales, runs=runs_of({}), printed=PRINTED)
    verdicts = {d.name: d.verdict for d in found if d.name.endswith("_replaces_imagenet21k")}
    assert len(verdicts) == 2
    for verdict in verdicts.values():
        assert verdict == (
            "not testable here: column ViT-B of table4 is not measured; needs vit_base; trained:"
            " vit_micro; needs imagenet21k_supervised as published; here: Fashion-MNIST pictures"
        )


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"table": "nowhere"}, "table = 'nowhere' is neither"),
        ({"better": ["stones"]}, "'stones' is not in t"),
        ({"columns": ["C"]}, "columns = 'C' is not in t"),
        ({"needs": {"datasets": ["C"]}}, "columns = 'C' is not in t"),
        ({"needs": {"published_images": ["stones"]}}, "stones.* is not in t"),
        ({"needs": {"difficulty_ratio": 1.0}}, "difficulty_ratio"),
        ({"better": ["noise"]}, "'noise' is repeated"),
        ({"kind": "equivalent"}, "a claim of kind equivalent needs more than 0"),
        ({"kind": "lesser"}, "kind = 'lesser'"),
    ],
)
def test_a_claim_about_what_does_not_exist_is_refused(claim, says):
    with pytest.raises(ConfigError, match=says):
        study(**claim)


def test_the_files_have_every_claim(tmp_path, laptop, laptop_records, published_csv, contours):
    asked = {"pretraining_accuracy": 5.0, "finetune_beats_probe": 1.0}
    scale = ReportScale.model_validate(laptop.model_dump() | {"gates": asked})
    out = tmp_path / "claims.csv"
    write_claims(
        {"contours": contours},
        scales=dict.fromkeys([*contours.tables, *contours.figures], scale),
        records=laptop_records,
        published=published_csv,
        out=out,
    )
    table = pd.read_csv(out, keep_default_na=False, dtype=str).set_index("claim")
    assert " ".join(table.columns) == (
        "sentence stated table scale kind published_effect effect low high level p p_holm"
        " p_sign_flip replicates datasets margin verdict n_to_decide gates note"
    )
    assert set(table.index) == set(contours.claims)
    beats = table.loc["fractaldb_beats_scratch"]
    assert (beats["verdict"], beats["published_effect"]) == ("same direction", "34.50")
    assert (beats["replicates"], beats["p_sign_flip"], beats["level"]) == ("3", "0.25", "0.95")
    assert (beats["gates"], beats["note"]) == ("5 not checked", "on stand-ins")
    assert table.loc["more_parameters_rcdb", "published_effect"] == "0.85"
    assert table.loc["few_points_fail", "verdict"] == "not run"
    assert float(table.loc["few_points_fail", "published_effect"]) > 50
    for suffix in (".md", ".html", ".fragment.html"):
        text = out.with_suffix(suffix).read_text(encoding="utf-8")
        assert all(
            claim.sentence.replace("'", "&#39;" if "html" in suffix else "'") in text
            for claim in contours.claims.values()
        )
        assert "not checked" in text
        assert (laptop.banner in text) == (suffix != ".fragment.html")
        assert "supported" not in text
        assert "contradicted" not in text
    assert all(out.with_suffix(suffix).is_file() for suffix in FILES)
