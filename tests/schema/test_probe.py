from pathlib import Path
from typing import get_args

import pytest
import yaml

from fdsl.schema.base import ConfigError
from fdsl.schema.probe import Probe
from fdsl.schema.recipe_files import Source, read_probe

WORKFLOW = Path(__file__).parents[2] / "workflow"
WRITTEN = yaml.safe_load((WORKFLOW / "probe.yaml").read_text())


def write(folder, **changes):
    (folder / "probe.yaml").write_text(yaml.safe_dump(WRITTEN | changes))
    return folder


def test_it_is_dinos_k_nn_and_every_value_has_a_source():
    probe = read_probe(WORKFLOW)
    assert (probe.k, probe.temperature) == (20, 0.07)
    assert WRITTEN.keys() == Probe.model_fields.keys()
    assert all(entry["source"] in get_args(Source) and entry["where"] for entry in WRITTEN.values())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("k", 20, r"probe\.yaml: k"),
        ("k", {"value": 20, "source": "hearsay", "where": "x"}, "source = 'hearsay'"),
        (
            "k",
            {"value": 0, "source": "ours", "where": "x"},
            "k = 0: should be greater than or equal to 1",
        ),
        ("temperature", {"value": 0, "source": "ours", "where": "x"}, "temperature = 0"),
        (
            "inverse_penalties",
            {"value": [1, 0.1], "source": "ours", "where": "x"},
            "must be ascending",
        ),
        ("inverse_penalties", {"value": [0, 1], "source": "ours", "where": "x"}, "above 0"),
        ("folds", {"value": 1, "source": "ours", "where": "x"}, "folds = 1"),
        ("neighbours", {"value": 1, "source": "ours", "where": "x"}, "unknown key"),
    ],
)
def test_a_fault_names_file_key_and_value(tmp_path, key, value, words):
    with pytest.raises(ConfigError, match=words):
        read_probe(write(tmp_path, **{key: value}))
