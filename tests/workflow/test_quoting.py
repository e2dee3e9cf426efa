"""What reaches a shell: every value of a rule is quoted, and the one that is not can hold no words
of anybody.
"""

import json
import re

import pytest
from fdsl.workflow.plan import Plan
from hypothesis import given
from hypothesis import strategies as st
from workflow.checkout import ROOT

from fdsl.schema.base import ConfigError, validate
from fdsl.schema.user import MAX_PROCESSES, SPREAD, UserConfig
from fdsl.schema.yaml_files import read_yaml
from fdsl.workflow.launch import Spread, launcher
from fdsl.workflow.load import load

RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
UNQUOTED = {"threads", "resources.launch"}  # a number, and what `launcher` makes of numbers
USER = read_yaml(ROOT / "config.yaml")
EVIL = "a b'\"; touch owned; $(touch owned) `touch owned` {threads} && touch owned | é"


def commands(path):
    """Return the shell commands of a file of rules."""
    return re.findall(r'shell:\s*r?"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)


def test_every_value_in_every_shell_command_is_quoted():
    found = [
        placeholder
        for path in RULES
        for command in commands(path)
        for placeholder in re.findall(r"\{([^{}]*)\}", command)
    ]
    assert len(found) > 50
    assert {p for p in found if not p.endswith(":q")} == UNQUOTED
    bare = {p for p in found if p.removesuffix(":q") in UNQUOTED}
    assert bare == UNQUOTED


def test_rules_run_shell_commands_alone_and_all_are_looked_at_here():
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        assert text.count("shell:") == len(commands(path)), path.name
        assert not re.search(
            r"^\s+(run|script|notebook|wrapper|cwl|conda|container):", text, re.MULTILINE
        )
        assert "shell(" not in text


@given(st.integers(1, 999), st.integers(1, MAX_PROCESSES), st.integers(1, 10**6), st.booleans())
def test_the_launcher_is_made_of_numbers_and_our_own_words(hosts, each, threads, gpus):
    command = launcher(Spread(hosts, each), threads=threads, gpus=gpus)
    words = re.sub(r"\d+", "N", command).split(" ")
    assert set(words) <= {
        "exec",
        "env",
        "python",
        "-m",
        "fdsl",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "N",
        "srun",
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=N",
        "LOCAL_WORLD_SIZE=N",
        "--nodes=N",
        "--ntasks=N",
        "--ntasks-per-node=N",
        "--cpus-per-task=N",
        "--gres=gpu:N",
        "--kill-on-bad-exit=N",
    }


@given(st.text(max_size=12) | st.from_regex(rf"{SPREAD}[;\n $`|&]\w*", fullmatch=True))
def test_no_other_text_is_a_spread(text):
    if re.fullmatch(SPREAD, text, re.ASCII):
        return
    with pytest.raises(ConfigError, match=r"spread\.vit_tiny"):
        validate(UserConfig, {**USER, "spread": {"vit_tiny": text}}, where="config.yaml")
    with pytest.raises(ValueError, match="is not hosts x processes"):
        Spread.read(text)


def test_what_decides_the_launcher_are_numbers():
    for change in ({"processes": "2; touch owned"}, {"spread": {"vit_tiny; x": "1x1"}}):
        with pytest.raises(ConfigError):
            load({**USER, **change})
    plan = Plan(load({**USER, "spread": {"vit_micro": "2x2"}, "data_root": EVIL}))
    assert EVIL not in plan.machine.launcher("laptop", "pretrain", "rcdb1k-vit_micro-s0")


@pytest.mark.parametrize(
    "key", ["a; rm -rf x-vit_micro-s0", "rcdb1k-vit_micro-s0\n", "../x-vit_micro-s0", "$(x)-y-s0"]
)
def test_no_other_text_is_a_run(key):
    plan = Plan(load(USER))
    with pytest.raises(ValueError, match="is not a run key"):
        plan.orders.pretraining("laptop", key)


def test_a_folder_and_a_title_that_are_commands_are_only_words(project):
    """One run of Snakemake with a real job, whose command line holds the worst of folders and
    titles.
    """
    from PIL import Image

    root = project.work / EVIL.replace("/", "_")
    for part in ("train", "val"):
        for kind in ("x", "$(touch owned)"):
            (root / "my pictures" / part / kind).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(
                root / "my pictures" / part / kind / "'; touch owned; '.png"
            )
    entry = {
        "title": EVIL,
        "column": EVIL,
        "loader": "image_folder",
        "folder": "my pictures",
        "classes": 2,
        "train_images": 2,
        "test_images": 2,
        "layout": EVIL,
        "fetchable": False,
        "licence": EVIL,
        "how_to_get": EVIL,
    }
    project.edit("workflow/catalog/downstream.yaml", lambda entries: entries.update(own=entry))
    project.edit("config.yaml", lambda config: config.update(data_root=str(root)))
    target = "results/laptop/downstream/own.json"
    made = project.snakemake("--cores", "1", targets=[target])
    assert made.returncode == 0, made.stdout + made.stderr
    manifest = json.loads((project.work / target).read_text())
    assert manifest["title"] == EVIL
    assert manifest["parts"]["train"]["images"] == 2
    assert not list(project.work.parent.rglob("owned*"))


@pytest.mark.parametrize(
    "target",
    [
        "results/laptop/pretrain/a; touch owned-vit_micro-s0/model.safetensors",
        "results/laptop/downstream/$(touch owned).json",
        "results/tables/../../../outside.csv",
    ],
)
def test_no_other_name_is_a_target(project, target):
    stopped = project.snakemake("--dry-run", "--cores", "1", targets=[target])
    assert stopped.returncode != 0
    assert "MissingRuleException" in stopped.stdout + stopped.stderr
    assert not list(project.work.parent.rglob("owned*"))
