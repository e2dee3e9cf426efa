"""The project's configuration with changes, and its job table, for tests of all rooms."""

from collections import Counter
from pathlib import Path

from fdsl.schema.yaml_files import read_yaml
from fdsl.workflow.jobs import Jobs
from fdsl.workflow.load import load

ROOT = Path(__file__).parents[2]
USER = read_yaml(ROOT / "config.yaml")


def configuration(**changes):
    """Return the checked configuration with changes of config.yaml."""
    return load({**USER, **changes})


def job_table(**changes):
    """Return the job table of config.yaml with changes."""
    return Jobs(configuration(**changes))


def processes(table, *targets):
    """Return {rule: number of processes} behind some targets; Snakemake calls each a job."""
    found = {table.process(job) for job in table.needed(targets, processes=True)}
    return Counter(jobs[0].rule for jobs in found)


def with_scale(table, **update):
    """Return the table of a configuration whose scale has other values."""
    config, name = table.config, table.scale
    scale = config.scales[name].model_copy(update=update)
    return Jobs(config.model_copy(update={"scales": {**config.scales, name: scale}}))


def with_study(table, **update):
    """Return the table of a configuration whose study of contours has other values."""
    studies = table.config.studies
    changed = studies["contours"].model_copy(update=update)
    return Jobs(table.config.model_copy(update={"studies": {**studies, "contours": changed}}))
