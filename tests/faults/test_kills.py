"""SIGKILL in every rule: jobs alone, Snakemake alone, and all at once."""

import pytest
from faults.results import differing, held
from faults.strikes import Strike, plan, strike
from faults.tiny import MADE

pytestmark = pytest.mark.faults

SEED = 20260
EACH = 4


def test_killed_at_random_moments_in_every_rule_the_same_command_ends_with_the_same_results(
    struck, expected, typical, note
):
    strikes = plan(MADE, each=EACH, seed=SEED)
    outcome = strike(struck, strikes, typical=typical, arguments=("--cores", "2"), targets=())
    ended = struck.snakemake("--cores", "2")
    wrong = differing(held(struck), expected)
    note(
        "kills",
        outcome.struck,
        seed=SEED,
        runs=outcome.runs,
        missed=outcome.missed,
        exit=ended.returncode,
        files=len(expected),
        differing=len(wrong),
    )
    assert not outcome.faults, outcome.faults[0]
    assert len(outcome.struck) == len(strikes)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not wrong


def test_after_ctrl_c_in_a_training_the_same_command_ends_with_the_same_results(
    struck, expected, typical
):
    strikes = [Strike(rule, "interrupt", 0.5) for rule in ("pretrain", "finetune", "detect")]
    outcome = strike(struck, strikes, typical=typical, arguments=("--cores", "2"), targets=())
    ended = struck.snakemake("--cores", "2")
    assert not outcome.faults, outcome.faults[0]
    assert len(outcome.struck) == len(strikes)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not differing(held(struck), expected)
