"""What all rules share: directives from the job table (fdsl/workflow/rules.py), and checks.

A job's `spec` digests all that decides what it computes, `code` the code that it reaches; a change
of either re-runs it. Where a job runs (threads, memory, device) is in its resources and re-runs
nothing. The command repeats a job by hand; its log shows it.
"""

import os
from pathlib import Path

from fdsl.io import locks
from fdsl.io.storage import require_writable
from fdsl.workflow import resolved, sources
from fdsl.workflow.jobs import Jobs, spec_digest
from fdsl.workflow.load import load
from fdsl.workflow.resources import NAMES
from fdsl.workflow.rules import FOLDERS, LARGE, REPORTS, RULES, WILDCARDS
from fdsl.workflow.runs import replicate_key

# Not `workflow.basedir`, which is the folder of the Snakefile that takes this one as a module.
WORKFLOW = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
JOBS = Jobs(load(config, folder=WORKFLOW))

if workflow.is_main_process:
    resolved.backdate_outdated_reports(JOBS)
    if not workflow.output_settings.dryrun:
        # After a SIGKILL or a power cut the same command must simply go on.
        locks.recover(Path(".snakemake"))
        # Snakemake would find this out with a traceback, when it makes way for a job's outputs.
        require_writable("results")
        # Here and not in `onstart`, which Snakemake does not run for a module.
        resolved.write(JOBS.config.user)


wildcard_constraints:
    **WILDCARDS,


def inputs(name):
    """Return the inputs of a rule; a large file counts by the digest beside it, not by its time."""

    def of(key):
        def paths(wildcards):
            jobs = JOBS.replicates(name, **wildcards)
            found = dict.fromkeys(path for job in jobs for path in job.inputs[key])
            paths = [relative(path) for path in found]
            return ancient(paths) if key in LARGE else paths

        return paths

    return {key: of(key) for key in RULES[name].inputs}


def relative(path):
    """Return a path of the workflow below the working directory, so that both can move together."""
    return (
        os.path.relpath(WORKFLOW.parent / path)
        if path.startswith("workflow/")
        else path
    )


def outputs(name, category="", **formats):
    """Return the outputs of a rule.

    Snakemake's report shows those of `formats` in a category, labelled with their wildcards and,
    where there are several forms, with the form's name.
    """
    labels = {key: f"{{{key}}}" for key in RULES[name].wildcards if key != "scale"}

    def flagged(key, path):
        path = directory(path) if key in FOLDERS else path
        if key not in formats:
            return path
        form = {"format": formats[key]} if formats[key] else {}
        caption = f"../report/{name}.rst"
        return report(path, caption=caption, category=category, labels=labels | form)

    paths = RULES[name].outputs
    if name in JOBS.sharing:
        runs = [replicate_key("{replicates}", seed) for seed in JOBS.sharing[name]]
        paths = {
            key: [path.replace("{run}", run) for run in runs]
            for key, path in paths.items()
        }
    return {key: flagged(key, path) for key, path in paths.items()}


def log_of(name):
    """Return the log of a rule's jobs."""
    return f"logs/{instance(name, '{scale}/')}.log"


def benchmark_of(name):
    """Return the file with time and memory of a rule's jobs."""
    return f"results/{instance(name, '{scale}/benchmarks/', 'benchmarks/')}.tsv"


def instance(name, scaled, other=""):
    """Return the path of one job of a rule, below a folder with or without a scale."""
    keys = [f"{{{key}}}" for key in names(name)]
    folder = scaled if "scale" in RULES[name].wildcards else other
    return f"{folder}{name}/{'-'.join(keys)}" if keys else f"{folder}{name}"


def names(name):
    """Return the wildcards of a rule's jobs but for the scale."""
    run = "replicates" if name in JOBS.sharing else "run"
    keys = [key for key in RULES[name].wildcards if key != "scale"]
    return [run if key == "run" else key for key in keys]


def params(name):
    """Return the digests of a job's spec and code, and the runs that share its process."""
    shared = {"runs": lambda w: [job.name for job in JOBS.replicates(name, **w)]}
    return {
        "spec": lambda w: spec_digest(JOBS.replicates(name, **w)),
        "code": lambda w: JOBS.replicates(name, **w)[0].repeating_code,
        **(shared if name in JOBS.sharing else {}),
    }


def threads_of(name):
    """Return the CPU threads of a rule's jobs."""
    return lambda w: JOBS.threads(JOBS.replicates(name, **w)[0])


def resources(name):
    """Return the resources of a rule's jobs; None is as good as absent."""

    def resource(key):
        def of(wildcards, attempt):
            jobs = JOBS.replicates(name, **wildcards)
            run = jobs[0].wildcards.get("run", "")
            found = JOBS.resources.of(
                name, scale=wildcards.scale, run=run, attempt=attempt
            )
            limit = found.get(key)
            return limit * len(jobs) if key == "runtime" else limit

        return of

    limits = (
        {} if name in (*REPORTS, "curves") else {key: resource(key) for key in NAMES}
    )
    return {
        "config": resolved.path(JOBS.config.user),
        "launch": "python -m fdsl",
        **limits,
    }


def command(name):
    """Return the shell command of a rule's jobs."""
    scale = "{wildcards.scale:q}" if "scale" in RULES[name].wildcards else JOBS.scale
    values = " ".join(f"{{wildcards.{key}:q}}" for key in names(name))
    if name in JOBS.sharing:
        values = "{params.runs:q}"
    return (
        f"{{resources.launch}} {name.replace('_', '-')} {values} --scale {scale} "
        "--spec {params.spec} --config {resources.config:q} --threads {threads} &>{log:q}"
    )


onstart:
    # Snakemake's limit of 100 jobs a second, which nothing here reaches, makes it look for jobs
    # once a second for each job that has ended (9.27): a quarter of a core after 80 jobs. No option
    # turns it off. Another limit is the user's own and stays.
    limit = workflow.scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    # Before the first job, so that a missing dataset is not found out after a day of pre-training.
    waiting = list(workflow.dag.needrun_jobs())
    sources.require_downstream(
        JOBS.config,
        [j.wildcards.dataset for j in waiting if j.rule.name == "fetch_downstream"],
    )
    sources.require_weights(
        JOBS.config,
        [j.wildcards.weights for j in waiting if j.rule.name == "import_weights"],
    )
