"""Published beside reproduced, against sums done by hand."""

import statistics

import pandas as pd
import pytest
from scipy import stats

from fdsl.report import compare
from fdsl.report.read_runs import RecordRefused
from fdsl.schema.base import ConfigError
from fdsl.schema.study.report_scale import ReportScale
from fdsl.schema.study.tables import Column, Row, Table

PAPER = ReportScale(name="paper", title="paper scale", banner="published budget", comparable=True)
SMALL = ReportScale(
    name="small",
    title="small scale",
    banner="reduced",
    comparable=False,
    stand_ins=(Column(label="Digits", dataset="digits"),),
)
TABLE = Table(
    title="A table",
    caption="Of two datasets.",
    metric="top-1 %",
    columns=[
        Column(label="A", dataset="a"),
        Column(label="B", dataset="b"),
        Column(label="Average", dataset=None),
    ],
    rows=[
        Row(label="Scratch", pretraining="scratch"),
        Row(label="Shapes", pretraining="shapes"),
        Row(label="Photographs", quoted="we have none"),
    ],
)
PRINTED = {
    ("Scratch", "A"): "50.0",
    ("Scratch", "B"): "60.0",
    ("Scratch", "Average"): "55.0",
    ("Shapes", "A"): "70.0",
    ("Shapes", "B"): "80.0",
    ("Shapes", "Average"): "75.0",
    ("Photographs", "A"): "90.0",
    ("Photographs", "B"): "",
    ("Photographs", "Average"): "",
}


def published(printed=PRINTED):
    return pd.DataFrame(
        [(*cell, value, "the page") for cell, value in printed.items()],
        columns=["row", "column", "published", "source"],
    )


def runs(values):
    """Runs from {(pretraining, dataset): {seed: percent}}."""
    rows = [
        (p, d, "vit_tiny", "finetune", s, float(v), f"{p}-{d}-s{s}")
        for (p, d), seeds in values.items()
        for s, v in seeds.items()
    ]
    columns = ["pretraining", "downstream", "model", "evaluation", "seed", "score", "record"]
    return pd.DataFrame(rows, columns=columns)


def measured(values, *, scale=PAPER, table=TABLE):
    columns = [column for _, column in compare.grouped(table.columns, scale)]
    return compare.placed(runs(values), columns)


def joined(values, *, scale=PAPER, tolerance_points=1.0):
    cells = compare.layout(TABLE, name="table", scale=scale)
    measures = compare.add_means(measured(values, scale=scale), cells)
    table = compare.side_by_side(
        cells, published(), measures, tolerance_points=tolerance_points, comparable=scale.comparable
    )
    nothing_printed = pd.DataFrame(columns=["row", "column", "published"])
    gains = compare.gains(table, measures, nothing_printed)
    return table.set_index(["row", "column"]), gains.set_index(["row", "column"])


def test_mean_and_spread_over_replicates_are_those_of_the_textbook():
    values = {0: 70.5, 1: 71.25, 2: 68.0}
    table, _ = joined({("shapes", "a"): values})
    cell = table.loc["Shapes", "A"]
    assert cell["reproduced"] == pytest.approx(statistics.mean(values.values()))
    assert cell["sd"] == pytest.approx(statistics.stdev(values.values()))
    assert (cell["replicates"], cell["record"]) == (3, "shapes-a-s0;shapes-a-s1;shapes-a-s2")


def test_one_replicate_has_no_spread():
    table, _ = joined({("shapes", "a"): {4: 70.0}})
    assert pd.isna(table.loc["Shapes", "A"]["sd"])
    assert table.loc["Shapes", "A"]["replicates"] == 1


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        (71.0, "within tolerance"),
        (69.0, "within tolerance"),
        (71.01, "differs"),
        (68.99, "differs"),
    ],
)
def test_the_tolerance_itself_is_within(ours, verdict):
    table, _ = joined({("shapes", "a"): {0: ours}})
    assert table.loc["Shapes", "A"]["verdict"] == verdict
    assert table.loc["Shapes", "A"]["difference"] == pytest.approx(ours - 70)


def test_every_cell_stays_without_any_record():
    table, gains = joined({})
    assert len(table) == 9
    assert gains.empty
    assert table["verdict"].unstack().to_dict("index") == {  # noqa: PD010
        "Photographs": {"A": "quoted", "B": "quoted", "Average": "quoted"},
        "Scratch": {"A": "not run", "B": "not run", "Average": "not run"},
        "Shapes": {"A": "not run", "B": "not run", "Average": "not run"},
    }


def test_a_mean_takes_only_replicates_that_have_every_column():
    table, _ = joined(
        {("shapes", "a"): {0: 70, 1: 72, 2: 90}, ("shapes", "b"): {1: 80, 0: 81, 5: 10}}
    )
    cell = table.loc["Shapes", "Average"]
    assert cell["reproduced"] == pytest.approx(((70 + 81) / 2 + (72 + 80) / 2) / 2)
    assert cell["sd"] == pytest.approx(statistics.stdev([75.5, 76.0]))
    assert cell["replicates"] == 2
    assert cell["record"] == "shapes-a-s0;shapes-a-s1;shapes-b-s0;shapes-b-s1"


def test_a_mean_of_some_columns_is_no_mean():
    table, _ = joined({("shapes", "a"): {0: 70, 1: 72}})
    assert pd.isna(table.loc["Shapes", "Average"]["reproduced"])


def test_a_reduced_scale_gets_no_verdict_and_no_difference():
    table, _ = joined({("shapes", "digits"): {0: 99.0}, ("shapes", "a"): {0: 70.0}}, scale=SMALL)
    assert table.loc["Shapes", "Digits"]["verdict"] == "not comparable"
    assert table.loc["Shapes", "A"]["verdict"] == "not comparable"
    assert table["difference"].isna().all()
    assert len(table) == 12


def test_a_gain_is_paired_by_replicate_and_has_its_t_interval():
    ours = {("scratch", "a"): {0: 50, 1: 40, 2: 45}, ("shapes", "a"): {2: 47, 1: 41, 0: 53, 9: 99}}
    _, gains = joined(ours)
    gain = gains.loc["Shapes", "A"]
    assert gain["gain"] == pytest.approx(2.0)
    assert gain["sd"] == pytest.approx(statistics.stdev([3, 1, 2]))
    interval = stats.ttest_1samp([3, 1, 2], 0).confidence_interval(0.95)
    assert (gain["low"], gain["high"]) == pytest.approx(tuple(interval))
    assert (gain["pairs"], gain["verdict"]) == (3, "undecided")  # all above, yet not decided
    assert gain["published_gain"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("shapes", "verdict"),
    [
        ((55, 66, 75), "beats"),
        ((45, 54, 65), "misses"),
        ((51, 59, 71), "undecided"),
        ((51, 61, 71), "undecided"),  # no spread
        ((51,), "undecided"),
    ],
)
def test_the_interval_of_the_gain_decides(shapes, verdict):
    ours = {("scratch", "a"): {0: 50, 1: 60, 2: 70}, ("shapes", "a"): dict(enumerate(shapes))}
    _, gains = joined(ours)
    assert gains.loc["Shapes", "A"]["verdict"] == verdict


def test_without_a_common_replicate_there_is_no_gain():
    _, gains = joined({("scratch", "a"): {0: 50}, ("shapes", "a"): {1: 60}})
    assert gains.empty


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({("Shape", "A"): "1.0"}, "Shape / A is published but not in the study"),
        ({("Shapes", "C"): "1.0"}, "Shapes / C is published but not in the study"),
    ],
)
def test_a_label_that_only_the_published_numbers_know_is_refused(change, says):
    cells = compare.layout(TABLE, name="table", scale=PAPER)
    measures = compare.add_means(measured({}), cells)
    with pytest.raises(ConfigError, match=says):
        compare.side_by_side(
            cells, published(PRINTED | change), measures, tolerance_points=1, comparable=True
        )


def test_a_cell_without_published_row_is_refused():
    printed = {cell: value for cell, value in PRINTED.items() if cell != ("Shapes", "B")}
    cells = compare.layout(TABLE, name="table", scale=PAPER)
    with pytest.raises(ConfigError, match="Shapes / B is in the study but not published"):
        compare.side_by_side(
            cells,
            published(printed),
            compare.add_means(measured({}), cells),
            tolerance_points=1,
            comparable=True,
        )


@pytest.mark.parametrize(
    "column", [Column(label="A", dataset="digits"), Column(label="Digits", dataset="a")]
)
def test_a_stand_in_must_not_repeat_a_column(column):
    scale = SMALL.model_copy(update={"stand_ins": (column,)})
    with pytest.raises(ConfigError, match="is already a column of table"):
        compare.layout(TABLE, name="table", scale=scale)


def test_a_column_is_about_one_model():
    mixed = runs({("shapes", "a"): {0: 70.0}, ("scratch", "a"): {0: 50.0}})
    mixed.loc[0, "model"] = "vit_base"
    with pytest.raises(RecordRefused, match="column A is about one model"):
        compare.placed(mixed, TABLE.columns)
    two = [column.model_copy(update={"model": "vit_base"}) for column in TABLE.columns[:1]]
    assert list(compare.placed(mixed, two)["pretraining"]) == ["shapes"]


def test_a_gain_is_over_the_rows_own_base_and_printed_gains_come_first():
    rows = [Row(label="Solids", pretraining="solids", gain_over="shapes")]
    table = Table(title="t", caption="c", metric="top-1 %", columns=TABLE.columns[:2], rows=rows)
    cells = compare.layout(table, name="table", scale=PAPER)
    ours = measured({("solids", "a"): {0: 71, 1: 75}, ("shapes", "a"): {0: 70, 1: 73}}, table=table)
    printed = published({("Solids", "A"): "80.0", ("Solids", "B"): "90.0"})
    compared = compare.side_by_side(cells, printed, ours, tolerance_points=1, comparable=True)
    told = pd.DataFrame([("Solids", "A", "2.4")], columns=["row", "column", "published"])
    gain = compare.gains(compared, ours, told).iloc[0]
    assert (gain["gain"], gain["pairs"], gain["published_gain"]) == (1.5, 2, 2.4)
