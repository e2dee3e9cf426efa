"""The number of jobs that a forecast counts is what Snakemake plans, and Snakemake plans the whole
paper in a minute.
"""

from collections import Counter

from fdsl.forecast.jobs import jobs
from fdsl.workflow.plan import Plan
from forecast.given import children_s, configuration
from workflow.test_dag import jobs as planned

MOST_JOBS, MOST_SECONDS = 5000, 60  # of processor time, so that neighbours do not count


def test_a_forecast_counts_the_jobs_of_a_dry_run(project):
    dry = planned(project.snakemake("--dry-run", "--cores", "1"))
    found = Counter(job.rule for job in jobs(Plan(configuration()), ["all"]))
    assert found | {"total": found.total()} == dry


def test_the_whole_paper_is_planned_in_a_minute(project):
    began = children_s()
    dry = planned(project.snakemake("--dry-run", "--cores", "1", "--config", "scale=paper"))
    spent = children_s() - began
    found = Counter(job.rule for job in jobs(Plan(configuration(scale="paper")), ["all"]))
    assert found | {"total": found.total()} == dry
    assert dry["total"] < MOST_JOBS
    assert spent < MOST_SECONDS
