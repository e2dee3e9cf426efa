"""What all rules share: the checked plan, the wildcards, and the check of the downstream data.

A job's `params.order` is one JSON object with all that decides what it computes, `params.code` a digest of the code that it
reaches; a change of either re-runs it. Where a job runs (threads, memory, device) stands in resources and re-runs nothing.
"""

import os
from pathlib import Path

from fdsl.workflow import load as settings
from fdsl.io import locks, storage
from fdsl.workflow.plan import Plan
from fdsl.provenance import fingerprint
from fdsl.workflow.runs import Run

WORKFLOW = Path(workflow.basedir) / "workflow"
# Relative, so that a project that was moved as a whole makes nothing again.
PUBLISHED = os.path.relpath(WORKFLOW / "published/tables.csv")
PLAN = Plan(settings.load(config, folder=WORKFLOW))

# After a SIGKILL or a power cut the same command must simply go on.
if workflow.is_main_process and not workflow.dryrun:
    locks.recover(Path(".snakemake"))


wildcard_constraints:
    scale="[a-z][a-z0-9_]*",
    dataset="[a-z][a-z0-9_]*",
    run="[a-z][a-z0-9_]*(-[a-z][a-z0-9_]*){1,2}-s[0-9]+",
    released="[a-z][a-z0-9_]*",
    shard="[0-9]{4}",
    stage="pretrain|finetune|detect",
    table="[a-z][a-z0-9_-]*",
    figure="[a-z][a-z0-9_-]*",


DEVICES = "gpu mpi nodes tasks tasks_per_node tasks_per_gpu cpus_per_task gres".split()


def devices(rule):
    """Return the resources of a rule that trains; a training has only some of them, and None is as good as absent."""

    def resource(name):
        return lambda w: PLAN.machine.devices(w.scale, rule, w.run).get(name)

    return {name: resource(name) for name in DEVICES}


onstart:
    # Snakemake's limit of 100 jobs a second, which nothing here reaches, makes it look for jobs once a second for each job that
    # has ended (9.27): a quarter of a core after 80 jobs. Another limit is the user's own and stays.
    limit = workflow.scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    # Snakemake would find this out with a traceback, when it makes way for the outputs of a job.
    storage.require_writable("results")
    # Before the first job, so that a missing dataset is not found out after a day of pre-training.
    PLAN.sources.require_downstream(
        job.wildcards.dataset
        for job in workflow.dag.needrun_jobs()
        if job.rule.name == "fetch_downstream"
    )
    PLAN.sources.require_weights(
        job.wildcards.released
        for job in workflow.dag.needrun_jobs()
        if job.rule.name == "adopt_weights"
    )
