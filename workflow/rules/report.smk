"""Stage 6: records and published numbers to tables; formulas to pictures. Seconds, no torch.

REQUIRED INPUTS: the records of all runs that a table shows.
OUTPUTS: results/tables/{table}.csv .md .html .tex, results/figures/{figure}.png .pdf .csv, results/claims.csv .md .html,
results/runs.csv, each with a .fragment.html that the page joins; results/index.html; results/{scale}/{stage}/{run}/curves.png of any training, when asked for
"""


localrules:
    table,
    figure,
    claims,
    runs,
    page,
    curves,
    all_curves,


rule table:
    """Join the records of a table with the published numbers."""
    input:
        records=lambda w: PLAN.files.records(w.table),
        published=PUBLISHED,
    output:
        csv=report(
            "results/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "format": "CSV"},
        ),
        md="results/tables/{table}.md",
        tex="results/tables/{table}.tex",
        fragment="results/tables/{table}.fragment.html",
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
        about=lambda w: PLAN.reports.told(w.table),
        order=lambda w: PLAN.reports.tabulation(w.table),
        code=lambda w: PLAN.codes.table(w.table),
    shell:
        r"""
        python -m fdsl table --order {params.order:q} --published {input.published:q} \
            --out {output.csv:q} -- {input.records:q} &>{log:q}
        """


rule figure:
    """Draw a figure from records and formulas."""
    input:
        records=lambda w: PLAN.files.records(w.figure),
        sidefiles=lambda w: PLAN.files.figure_files(w.figure),
        published=PUBLISHED,
    output:
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "format": "PNG"},
        ),
        pdf="results/figures/{figure}.pdf",
        csv="results/figures/{figure}.csv",
        fragment="results/figures/{figure}.fragment.html",
    log:
        "logs/figure/{figure}.log",
    benchmark:
        "benchmarks/figure/{figure}.tsv"
    params:
        about=lambda w: PLAN.reports.told(w.figure),
        order=lambda w: PLAN.reports.drawing(w.figure),
        code=lambda w: PLAN.codes.figure(w.figure),
    shell:
        r"""
        python -m fdsl figure --order {params.order:q} --published {input.published:q} \
            --out {output.png:q} -- {input.records:q} {input.sidefiles:q} &>{log:q}
        """


rule curves:
    """Draw the learning curves of one training; by itself, so that no training needs matplotlib."""
    input:
        metrics="results/{scale}/{stage}/{run}/metrics.jsonl",
    output:
        png=report(
            "results/{scale}/{stage}/{run}/curves.png",
            caption="../report/curves.rst",
            category="Learning curves",
            labels={"stage": "{stage}", "run": "{run}"},
        ),
    log:
        "logs/{scale}/curves/{stage}-{run}.log",
    benchmark:
        "benchmarks/{scale}/curves/{stage}-{run}.tsv"
    params:
        code=fingerprint("fdsl.report.run_curves"),
    shell:
        r"""
        python -m fdsl curves --metrics {input.metrics:q} --out {output.png:q} &>{log:q}
        """


rule all_curves:
    """The learning curves of every training behind the tables and figures."""
    input:
        PLAN.files.curves(),


rule claims:
    """Decide the claims of the studies from records."""
    input:
        records=PLAN.files.claim_records(),
        published=PUBLISHED,
    output:
        csv=report(
            "results/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"format": "CSV"},
        ),
        md="results/claims.md",
        fragment="results/claims.fragment.html",
        html=report(
            "results/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"format": "HTML"},
        ),
    log:
        "logs/claims.log",
    benchmark:
        "benchmarks/claims.tsv"
    params:
        order=PLAN.reports.hashed_fields(),
        code=fingerprint("fdsl.report.claims"),
    shell:
        r"""
        python -m fdsl claims --order {params.order:q} --published {input.published:q} \
            --out {output.csv:q} -- {input.records:q} &>{log:q}
        """


rule runs:
    """List all runs with result, cost and learning curve."""
    input:
        records=PLAN.files.all_records(),
        pretrainings=PLAN.files.pretraining_records(),
    output:
        csv="results/runs.csv",
        fragment="results/runs.fragment.html",
    log:
        "logs/runs.log",
    benchmark:
        "benchmarks/runs.tsv"
    params:
        order="{}",
        code=fingerprint("fdsl.report.runs_list"),
    shell:
        r"""
        python -m fdsl runs --order {params.order:q} --out {output.csv:q} \
            -- {input.records:q} {input.pretrainings:q} &>{log:q}
        """


rule page:
    """Join tables, figures, claims, runs and a gallery on one page that needs nothing else."""
    input:
        fragments=PLAN.files.fragments(),
        claims="results/claims.fragment.html",
        runs="results/runs.fragment.html",
    output:
        page=report(
            "results/index.html",
            caption="../report/page.rst",
            category="Everything on one page",
        ),
    log:
        "logs/page.log",
    benchmark:
        "benchmarks/page.tsv"
    params:
        order=PLAN.reports.paging(),
        code=fingerprint("fdsl.report.page"),
    shell:
        r"""
        python -m fdsl page --order {params.order:q} --claims {input.claims:q} \
            --runs {input.runs:q} --out {output.page:q} &>{log:q}
        """
