import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from fdsl.io.checksums import digest_and_size
from fdsl.io.storage import DamagedFile, write_checksummed
from fdsl.report.read_metrics import read_metrics
from fdsl.report.run_curves import draw_curves, write_curves


def train(step, **changes):
    line = {
        "kind": "train",
        "step": step,
        "epoch": step / 4,
        "lr": 1e-3 / step,
        "loss": 4 / step,
        "correct": step,
        "images": 40,
        "images_per_second": 100.0 + step,
    }
    return line | changes


TEST = {"kind": "evaluation", "step": 8, "epoch": 2, "correct": 30, "images": 40, "loss": 0.5}


@pytest.fixture
def metrics(tmp_path):
    path = tmp_path / "laptop" / "finetune" / "scratch-vit_micro-digits-s0" / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    return path


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def drawn(metrics):
    """The figure of a file."""
    lines = read_metrics(metrics)
    return draw_curves(lines["train"], lines["evaluation"], title="a run")


def plotted(axes):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines
    }


def test_each_panel_shows_what_the_file_holds(metrics):
    steps = range(1, 9)
    write(metrics, [*(train(step) for step in steps), TEST])
    figure = drawn(metrics)
    loss, correct, rate, speed = figure.axes
    epochs = [step / 4 for step in steps]
    assert plotted(loss) == {
        "training objective": (epochs, [4 / step for step in steps]),
        "test, cross-entropy": ([2], [0.5]),
    }
    assert plotted(correct) == {
        "training, augmented": (epochs, [2.5 * step for step in steps]),
        "test": ([2], [75.0]),
    }
    assert [values for _, values in plotted(rate).values()] == [[1e-3 / step for step in steps]]
    assert [values for _, values in plotted(speed).values()] == [[100.0 + step for step in steps]]
    assert speed.get_ylim()[0] == 0
    assert figure.get_suptitle() == "a run"


def test_the_file_is_a_picture_that_does_not_depend_on_the_day(metrics):
    write(metrics, [train(1), train(2)])
    out = metrics.with_name("curves.png")
    write_curves(metrics, out=out)
    first = out.read_bytes()
    with Image.open(out) as image:
        assert image.width > 1500
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 10
        assert "Software" not in image.info
    write_curves(metrics, out=out)
    assert out.read_bytes() == first


def test_the_style_of_others_is_left_alone(metrics):
    before = dict(mpl.rcParams)
    write(metrics, [train(1)])
    write_curves(metrics, out=metrics.with_name("curves.png"))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"kind": "train", "st', "cannot be read"),
        ("[1]\n", "cannot be read"),
        ("{}\n", "cannot be read"),
        ("", "has no line of training"),
        (json.dumps(TEST) + "\n", "has no line of training"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_drawn(metrics, content, text):
    metrics.write_text(content)
    with pytest.raises(DamagedFile, match=f"metrics.jsonl {text}.*run the same command again"):
        write_curves(metrics, out=metrics.with_name("curves.png"))
    assert [path.name for path in Path(metrics).parent.iterdir()] == ["metrics.jsonl"]


def test_a_curve_is_drawn_only_as_the_record_beside_it_states_it(metrics):
    write(metrics, [train(1), train(2)])
    record = {"outputs": {f"results/x/{metrics.name}": digest_and_size(metrics)}}
    write_checksummed(metrics.with_name("record.json"), record)
    write_curves(metrics, out=metrics.with_name("curves.png"))
    write(metrics, [train(1), train(2, loss=3.0)])
    with pytest.raises(DamagedFile, match=r"metrics\.jsonl is not the file that record\.json"):
        write_curves(metrics, out=metrics.with_name("curves.png"))
