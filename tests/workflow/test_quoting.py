"""What reaches a shell: every value of a rule is quoted, and the one that is not can hold no words
of anybody.
"""

import json
import re

import pytest
from hypothesis import given, strategies as st
from workflow.configured import ROOT, USER, job_table

from fdsl.schema.base import ConfigError, validate
from fdsl.schema.user import GRID, MAX_PROCESSES, UserConfig
from fdsl.workflow.launch import ProcessGrid, launcher

COMMON = ROOT / "workflow" / "rules" / "common.smk"
FILES = sorted({*COMMON.parent.glob("*.smk")} - {COMMON})
# a number, what `launcher` makes of numbers, and 16 hexadecimal digits
UNQUOTED = {"threads", "resources.launch", "params.spec"}
EVIL = "a b'\"; touch owned; $(touch owned) `touch owned` {threads} && touch owned | é"


def test_every_value_in_the_shell_command_is_quoted():
    """All rules have the one command of common.smk."""
    text = COMMON.read_text(encoding="utf-8")
    command = text[text.index("def command(name)") : text.index("onstart:")]
    found = set(
        re.findall(r"\{+((?:wildcards|resources|params|threads|log|input|output)[^{}]*)\}", command)
    )
    assert {"resources.launch", "wildcards.{key}:q", "log:q"} & found
    assert {p for p in found if not p.endswith(":q")} == UNQUOTED
    assert "{{wildcards.{key}:q}}" in command


def test_rules_run_the_shell_command_alone():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        names = re.findall(r"^rule (\w+):", text, re.MULTILINE)
        made = [name for name in names if name != "all_curves"]
        assert re.findall(r'shell:\s*command\("(\w+)"\)', text) == made, path.name
        assert text.count("shell:") == len(made)
        assert not re.search(
            r"^\s+(run|script|notebook|wrapper|cwl|conda|container):", text, re.MULTILINE
        )
        assert "shell(" not in text


@given(st.integers(1, 999), st.integers(1, MAX_PROCESSES), st.integers(1, 10**6), st.booleans())
def test_the_launcher_is_made_of_numbers_and_our_own_words(nodes, each, threads, gpus):
    command = launcher(ProcessGrid(nodes, each), threads=threads, gpus=gpus)
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


@given(st.text(max_size=12) | st.from_regex(rf"{GRID}[;\n $`|&]\w*", fullmatch=True))
def test_no_other_text_is_a_grid(text):
    if re.fullmatch(GRID, text, re.ASCII):
        return
    with pytest.raises(ConfigError, match=r"nodes_x_processes\.vit_tiny"):
        validate(UserConfig, {**USER, "nodes_x_processes": {"vit_tiny": text}}, where="config.yaml")
    with pytest.raises(ValueError, match="is not nodes x processes"):
        ProcessGrid.read(text)


def test_what_decides_the_launcher_are_numbers():
    for change in ({"processes": "2; touch owned"}, {"nodes_x_processes": {"vit_tiny; x": "1x1"}}):
        with pytest.raises(ConfigError):
            job_table(**change)
    table = job_table(nodes_x_processes={"vit_micro": "2x2"}, data_root=EVIL)
    assert EVIL not in table.resources.launcher("laptop", "pretrain", "rcdb1k-vit_micro-s0")


@pytest.mark.parametrize(
    "key", ["a; rm -rf x-vit_micro-s0", "rcdb1k-vit_micro-s0\n", "../x-vit_micro-s0", "$(x)-y-s0"]
)
def test_no_other_text_is_a_run(key):
    with pytest.raises(ValueError, match="is not a run key"):
        job_table().specs.pretrain("laptop", key)


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
