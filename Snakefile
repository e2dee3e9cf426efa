"""Every table and figure of the formula-driven supervised learning papers, from formulas, real images and code.

snakemake --cores all results/tables/table3.csv
"""

from snakemake.utils import min_version

min_version("9.20")


configfile: workflow.source_path("config.yaml")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/downstream.smk"
include: "workflow/rules/report.smk"


rule all:
    """Everything at the configured scale."""
    default_target: True
    input:
        JOBS.targets(),
