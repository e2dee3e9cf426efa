"""Claims against sums done by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from fdsl.report.claims import FILES, write_claims
from fdsl.report.decisions import decide, decide_all, interval
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.study.paper import Study
from fdsl.schema.study.report_scale import ReportScale

FULL = ReportScale(name="paper", title="paper scale", banner="published budget", comparable=True)
PRINTED = pd.DataFrame(
    [
        ("t", "Shapes", "A", "top-1 %", "70.0"),
        ("t", "Shapes", "B", "top-1 %", "80.0"),
        ("t", "Noise", "A", "top-1 %", "60.0"),
        ("t", "Noise", "B", "top-1 %", ""),
    ],
    columns=["table", "row", "column", "metric", "published"],
)


def study(**claim):
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
    return validate(
        Study,
        {"title": "x", "reference": "y", "tables": {"t": table}, "claims": {"c": values | claim}},
        where="study",
    )


def decided(scores, *, scale=FULL, **claim):
    rows = [
        (p, d, "vit", "finetune", seed, float(score), f"{p}-{d}-{seed}")
        for (p, d), values in scores.items()
        for seed, score in enumerate(values)
    ]
    columns = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "record"]
    paper = study(**claim)
    return decide(
        "c",
        paper.claims["c"],
        paper,
        scale=scale,
        runs=pd.DataFrame(rows, columns=columns),
        printed=PRINTED,
    )


def test_claims_stand_in_the_order_of_tables_and_figures(contours):
    places = [*contours.tables, *contours.figures]
    scales = dict.fromkeys(places, FULL)
    runs = pd.DataFrame(
        columns=["pretraining", "downstream", "model", "evaluation", "seed", "score", "record"]
    )
    found = decide_all(contours, scales, runs=runs, printed=PRINTED)
    assert {decision.name for decision in found} == contours.claims.keys()
    order = [places.index(decision.claim.table) for decision in found]
    assert order == sorted(order)
    assert order[-1] > len(contours.tables)


def test_the_effect_is_paired_by_seed_and_averaged_over_datasets():
    found = decided(
        {
            ("shapes", "a"): [70, 75],
            ("noise", "a"): [60, 70],
            ("shapes", "b"): [50, 50],
            ("noise", "b"): [48, 49],
        }
    )
    assert found.effect == pytest.approx(np.mean([(10 + 2) / 2, (5 + 1) / 2]))
    assert (found.low, found.high) == (3.0, 6.0)
    assert (found.verdict, found.seeds, found.datasets) == ("supported", 2, ("A", "B"))
    assert found.published == pytest.approx(10.0)  # B of Noise is a printed dash


@pytest.mark.parametrize(
    ("better", "margin", "verdict"),
    [
        ([61, 62, 63], 0, "supported"),
        ([59, 58, 57], 0, "contradicted"),
        ([59, 62, 63], 0, "inconclusive"),
        ([59, 58, 59], -3, "supported"),
        ([61, 62, 63], 5, "contradicted"),
        ([61], 0, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(better, margin, verdict):
    found = decided({("shapes", "a"): better, ("noise", "a"): [60, 60, 60]}, margin_points=margin)
    assert found.verdict == verdict


def test_what_was_not_run_is_named():
    found = decided({("shapes", "a"): [1, 2]})
    assert (found.verdict, found.effect, found.note) == ("not run", None, "no records of noise")


def test_a_seed_without_everything_does_not_count():
    found = decided({("shapes", "a"): [70, 75, 99], ("noise", "a"): [60, 70]})
    assert found.seeds == 2


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_an_interval_lies_within_the_seeds_and_repeats(effects):
    low, high = interval(np.array(effects))
    assert min(effects) - 1e-9 <= low <= high <= max(effects) + 1e-9
    assert interval(np.array(effects)) == (low, high)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"table": "nowhere"}, "table = 'nowhere' is neither"),
        ({"better": ["stones"]}, "'stones' is not in t"),
        ({"columns": ["C"]}, "columns = 'C' is not in t"),
        ({"better": ["noise"]}, "'noise' is repeated"),
    ],
)
def test_a_claim_about_what_does_not_exist_is_refused(claim, says):
    with pytest.raises(ConfigError, match=says):
        study(**claim)


def test_the_files_have_every_claim(tmp_path, laptop, laptop_records, published_csv, contours):
    scales = dict.fromkeys([*contours.tables, *contours.figures], laptop)
    out = tmp_path / "claims.csv"
    write_claims(
        {"contours": contours},
        scales=scales,
        records=laptop_records,
        published=published_csv,
        out=out,
    )
    table = pd.read_csv(out, keep_default_na=False, dtype=str).set_index("claim")
    assert list(table.columns)[:2] == ["sentence", "stated"]
    assert all(out.with_suffix(suffix).is_file() for suffix in FILES)
    assert set(table.index) == set(contours.claims)
    beats = table.loc["fractaldb_beats_scratch"]
    assert (beats["verdict"], beats["published_effect"]) == ("supported", "34.50")
    assert table.loc["more_parameters_rcdb", "published_effect"] == "0.85"
    assert table.loc["few_points_fail", "verdict"] == "not run"
    assert float(table.loc["few_points_fail", "published_effect"]) > 50
    for suffix in (".md", ".html"):
        text = out.with_suffix(suffix).read_text(encoding="utf-8")
        assert all(
            claim.sentence.replace("'", "&#39;" if suffix == ".html" else "'") in text
            for claim in contours.claims.values()
        )
        assert laptop.banner in text
