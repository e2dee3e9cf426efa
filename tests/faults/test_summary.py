"""The tables of docs/reliability.md come from the summary of a run; the rest does not change."""

import json

import pytest
from faults.summary import DOCUMENT, note, written

KILLS = [
    {"rule": "pretrain", "whom": "all"},
    {"rule": "pretrain", "whom": "job"},
    {"rule": "table", "whom": "job"},
]
ABOUT = {"seed": 3, "runs": 5, "seconds": 8.4, "missed": 1, "files": 9, "differing": 0}
FAULT = {"fault": "bit flipped", "where": "shard", "outcome": "refused by name"}
MARKED = "".join(
    f"{name}:\n<!-- {name} -->\nold\n<!-- end of {name} -->\n"
    for name in ("kills", "disk", "damage", "together")
)


@pytest.fixture
def content(tmp_path):
    path = tmp_path / "summary.json"
    note(path, "kills", rows=[{"rule": "old", "whom": "all"}], about=ABOUT)
    note(path, "kills", rows=KILLS, about=ABOUT)
    note(path, "damage", rows=[FAULT], about={"seed": 4, "seconds": 2})
    return json.loads(path.read_text())


def test_kills_are_counted_by_rule_and_victim(content):
    text = written(MARKED, content)
    assert "| `pretrain` | 1 | 0 | 1 | 2 |" in text
    assert "| `table` | 0 | 0 | 1 | 1 |" in text
    assert "| **in all** | 1 | 0 | 2 | 3 |" in text
    assert "old" not in text


def test_faults_are_listed_and_what_was_not_measured_is_said(content):
    text = written(MARKED, content)
    assert "| bit flipped | shard | refused by name |" in text
    assert "Seed 4; 2 s." in text
    assert "Not measured yet: disk, read-only." in text


def test_a_document_without_a_place_for_a_table_is_refused(content):
    with pytest.raises(ValueError, match="no place for damage"):
        written(MARKED.replace("<!-- damage -->", ""), content)


def test_only_the_tables_of_the_page_change(content):
    text = DOCUMENT.read_text()
    after = written(text, content)
    assert written(after, content) == after
    for name in ("kills", "disk", "damage", "together"):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(begin)] + text[text.index(end) :]
        after = after[: after.index(begin)] + after[after.index(end) :]
    assert after == text
