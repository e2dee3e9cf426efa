"""The document shows what the harness wrote, and it wrote what was asked for."""

import json
from collections import Counter

import pytest
from faults.strikes import plan
from faults.summary import DOCUMENT, SUMMARY, written
from faults.test_kills import EACH, SEED
from faults.tiny import MADE


@pytest.fixture
def content():
    return json.loads(SUMMARY.read_text())


def test_the_tables_of_the_document_are_those_of_the_summary(content):
    text = DOCUMENT.read_text()
    assert text == written(text, content), "run: PYTHONPATH=tests python tests/faults/summary.py"


def test_every_rule_was_killed_as_planned_and_nothing_differed(content):
    if "kills" not in content:
        pytest.skip("the kills were not measured yet: make test-faults")
    kills = content["kills"]
    met = Counter((row["rule"], row["whom"]) for row in kills["rows"])
    assert met == Counter((each.rule, each.whom) for each in plan(MADE, each=EACH, seed=SEED))
    assert met.total() >= 50
    assert (kills["exit"], kills["differing"]) == (0, 0)
    assert all(section.get("differing", 0) == 0 for section in content.values())
