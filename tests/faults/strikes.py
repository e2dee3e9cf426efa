"""SIGKILL at random moments of chosen rules, until the workflow has been struck as often as
planned; then it must end well.
"""

import csv
import math
import random
import re
import shutil
import time
from dataclasses import asdict, dataclass, field, replace

from faults.jobs import LOOK_SECONDS, Started
from faults.tiny import MADE

WHOM = ("all", "snakemake", "job")
RUN_SECONDS = 600  # longer than any run of the tiny workflow
MISSES = 60  # of strikes that came after the end of their job; then the plan is not fulfilled


@dataclass(frozen=True)
class Strike:
    """One kill: in a job of which rule, whom, and after which share of the processor time that it
    takes undisturbed.
    """

    rule: str
    whom: str
    share: float


@dataclass
class Outcome:
    """What became of a plan.

    `struck` are the kills that met a living job, `missed` counts those that came too late and were
    drawn again, `faults` are runs that stopped although nobody had struck them.
    """

    struck: list[dict] = field(default_factory=list)
    missed: int = 0
    runs: int = 0
    faults: list[str] = field(default_factory=list)


def plan(rules, *, each, seed):
    """Return `each` strikes for every rule; all three kinds of victims in turn, the first one at
    random.
    """
    rng = random.Random(seed)
    strikes = []
    for rule in rules:
        first = rng.randrange(len(WHOM))
        for number in range(each):
            whom = WHOM[(first + number) % len(WHOM)]
            strikes.append(Strike(rule, whom, rng.uniform(0.02, 0.9)))
    return strikes


def durations(project):
    """Return {rule: processor seconds of one job}, the least that Snakemake measured in a finished
    run.
    """
    found = {}
    for path in (project.work / "results").rglob("benchmarks/**/*.tsv"):
        # benchmarks/RULE/JOB.tsv, or benchmarks/RULE.tsv where there is one job
        rule = path.stem if path.parent.name == "benchmarks" else path.parent.name
        with path.open() as file:
            seconds = float(next(csv.DictReader(file, delimiter="\t"))["cpu_time"])
        found[rule] = min(found.get(rule, math.inf), seconds)
    return found


def strike(project, strikes, *, typical, arguments, targets):
    """Run one command again and again, with a strike in each run, until all have met; return the
    outcome.

    Parameters
    ----------
    project
        With a working directory that holds anything from nothing to everything.
    strikes
        The plan.
    typical
        {rule: processor seconds of a job}.
    arguments, targets
        The command, always the same. Where it has ended and a rule is still to be struck, what was
        made from the rule on is removed.
    """
    pending = list(strikes)
    outcome, orphans = Outcome(), []
    command = project.command(*arguments, targets=targets)
    while pending and outcome.missed < MISSES and outcome.runs < len(strikes) + MISSES:
        log = project.work.with_name(f"{project.work.name}-{outcome.runs:03d}.log")
        started = Started(project, command, log=log)
        outcome.runs += 1
        met = _strike_once(started, pending, typical, outcome)
        if met is not None and met.whom == "snakemake":
            orphans.append(started)
        if met is not None and met.whom in {"all", "snakemake"}:
            continue
        code = started.wait(seconds=RUN_SECONDS)
        failed = set(re.findall(r"Error in rule (\w+):", started.said()))
        if met is not None and met.whom == "job" and failed != {met.rule}:
            outcome.faults.append(
                f"{met.rule} was killed, {failed} failed: {started.said()[-4000:]}"
            )
        if met is None and code != 0:
            outcome.faults.append(started.said()[-4000:])
            break
        if met is None:
            _remove(project, {each.rule for each in pending})
    for started in orphans:
        started.wait_for_orphans(seconds=RUN_SECONDS)
    return outcome


def _strike_once(started, pending, typical, outcome):
    """Wait for a job that is to be struck, strike it, and return the strike; None if Snakemake
    ended before.
    """
    began, seen = time.monotonic(), set()
    while not started.ended():
        for job in started.jobs():
            seen.add(job.rule)
            wanted = next((each for each in pending if each.rule == job.rule), None)
            if wanted is None or not job.lives():
                continue
            used = job.cpu_seconds()
            if used < wanted.share * typical[job.rule]:
                continue
            started.kill(wanted.whom, job)
            pending.remove(wanted)
            run = round(time.monotonic() - began, 1)
            outcome.struck.append(asdict(wanted) | {"cpu_s": round(used, 2), "run_s": run})
            return wanted
        time.sleep(LOOK_SECONDS)
    _hasten(pending, seen, outcome)
    return None


def _hasten(pending, rules, outcome):
    """Let strikes that came too late for the jobs of some rules come earlier the next time."""
    for number, each in enumerate(pending):
        if each.rule in rules:
            outcome.missed += 1
            pending[number] = replace(each, share=each.share / 2)


def _remove(project, rules):
    """Remove what some rules made and all that comes after it, since Snakemake makes a file again
    only where one after it is missing.
    """
    order = list(MADE)
    for rule in order[min(map(order.index, rules), default=len(order)) :]:
        for path in project.work.glob(MADE[rule]):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
