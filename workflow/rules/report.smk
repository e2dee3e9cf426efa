"""Stage 6: records and published numbers to tables; formulas to pictures. Seconds, no torch.

REQUIRED INPUTS: the records of all runs that a table shows.
OUTPUTS: results/tables/{table}.csv .md .html, results/figures/{figure}.png .pdf
"""


localrules:
    table,
    figure,


rule table:
    """Join the records of a table with the published numbers."""
    input:
        records=lambda w: PLAN.records(w.table),
        published=WORKFLOW / "published/tables.csv",
    output:
        csv=report(
            "results/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "format": "CSV"},
        ),
        md="results/tables/{table}.md",
        html=report(
            "results/tables/{table}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "format": "HTML"},
        ),
    log:
        "logs/table/{table}.log",
    benchmark:
        "benchmarks/table/{table}.tsv"
    params:
        order=lambda w: PLAN.tabulation(w.table),
        code=fingerprint("fdsl.report.tables"),
    shell:
        r"""
        python -m fdsl table --order {params.order:q} --published {input.published:q} \
            --out {output.csv:q} -- {input.records:q} &>{log:q}
        """


rule figure:
    """Draw sample images of synthetic datasets at their published settings."""
    output:
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "format": "PNG"},
        ),
        pdf="results/figures/{figure}.pdf",
    log:
        "logs/figure/{figure}.log",
    benchmark:
        "benchmarks/figure/{figure}.tsv"
    params:
        order=lambda w: PLAN.drawing(w.figure),
        code=lambda w: PLAN.figure_code(w.figure),
    shell:
        r"""
        python -m fdsl figure --order {params.order:q} --out {output.png:q} &>{log:q}
        """
