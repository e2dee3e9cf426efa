"""The summary that the fault tests write, and the tables of docs/reliability.md made from it."""

import json
import os
import platform
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUMMARY = ROOT / "build/reliability.json"
DOCUMENT = ROOT / "docs/reliability.md"
CASES = {
    "disk": ["disk", "read-only"],
    "damage": ["damage"],
    "together": ["second", "moment", "clock"],
}
VICTIMS = {
    "all": "Snakemake and all its jobs",
    "snakemake": "Snakemake alone",
    "job": "the job alone",
}


def note(path, section, *, rows, about):
    """Put the rows of one test into the summary, in the place of an earlier run's."""
    content = json.loads(path.read_text()) if path.exists() else {}
    content["machine"] = {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    content[section] = {**about, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")


def tables(content):
    """Return {place in the document: Markdown} of a summary; a fault that it does not speak of was
    not measured.
    """
    found = {"kills": _kills(content["kills"]) if "kills" in content else "Not measured yet.\n"}
    for name, parts in CASES.items():
        measured = [content[part] for part in parts if part in content]
        missing = [part for part in parts if part not in content]
        found[name] = _cases(measured) if measured else ""
        if missing:
            found[name] += f"\nNot measured yet: {', '.join(missing)}.\n"
    return found


def _kills(section):
    counts = Counter((row["rule"], row["whom"]) for row in section["rows"])
    rules = list(dict.fromkeys(row["rule"] for row in section["rows"]))
    rows = [
        [
            f"`{rule}`",
            *(counts[rule, whom] for whom in VICTIMS),
            sum(counts[rule, w] for w in VICTIMS),
        ]
        for rule in rules
    ]
    totals = [sum(counts[rule, whom] for rule in rules) for whom in VICTIMS]
    rows.append(["**in all**", *totals, sum(totals)])
    words = (
        f"Seed {section['seed']}; {section['runs']} starts of the same command in"
        f" {section['seconds']:.0f} s; {section['missed']} kills fell after the end of their job"
        f" and were drawn again. Of {section['files']} result files, {section['differing']}"
        " differed at the end."
    )
    return _markdown(["Killed in a job of", *VICTIMS.values(), "kills"], rows) + "\n" + words + "\n"


def _cases(sections):
    rows = [
        [row["fault"], row["where"], row["outcome"]]
        for section in sections
        for row in section["rows"]
    ]
    seconds = sum(section["seconds"] for section in sections)
    seeds = "".join(f"Seed {section['seed']}; " for section in sections if "seed" in section)
    return _markdown(["Fault", "Where", "What happened"], rows) + f"\n{seeds}{seconds:.0f} s.\n"


def _markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def written(text, content):
    """Return a document with the tables of a summary between its marks."""
    for name, table in tables(content).items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{DOCUMENT} has no place for {name}: it needs {begin!r} and {end!r}")
        text = before + begin + "\n" + table + "\n" + end + after
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(), json.loads(SUMMARY.read_text())))
