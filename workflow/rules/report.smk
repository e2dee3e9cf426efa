"""Records and published numbers to tables, figures, claims and the page. Seconds, no torch."""


localrules:
    table,
    figure,
    curves,
    all_curves,
    claims,
    runs,
    page,


rule table:
    """Join the records of a table with the published numbers."""
    input:
        **inputs("table"),
    output:
        **outputs(
            "table",
            csv=dict(
                caption="../report/table.rst",
                category="Tables",
                labels={"table": "{table}", "format": "CSV"},
            ),
            html=dict(
                caption="../report/table.rst",
                category="Tables",
                labels={"table": "{table}", "format": "HTML"},
            ),
        ),
    log:
        log_of("table"),
    benchmark:
        benchmark_of("table")
    resources:
        **resources("table"),
    params:
        **params("table"),
        about=lambda w: JOBS.specs.caption(w.table),
    shell:
        command("table")


rule figure:
    """Draw a figure from records and formulas."""
    input:
        **inputs("figure"),
    output:
        **outputs(
            "figure",
            png=dict(
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": "{figure}", "format": "PNG"},
            ),
        ),
    log:
        log_of("figure"),
    benchmark:
        benchmark_of("figure")
    resources:
        **resources("figure"),
    params:
        **params("figure"),
        about=lambda w: JOBS.specs.caption(w.figure),
    shell:
        command("figure")


rule curves:
    """Draw the learning curves of one training; apart, so that no training needs matplotlib."""
    input:
        **inputs("curves"),
    output:
        **outputs(
            "curves",
            png=dict(
                caption="../report/curves.rst",
                category="Learning curves",
                labels={"stage": "{stage}", "run": "{run}"},
            ),
        ),
    log:
        log_of("curves"),
    benchmark:
        benchmark_of("curves")
    resources:
        **resources("curves"),
    params:
        **params("curves"),
    shell:
        command("curves")


rule all_curves:
    """The learning curves of every training behind the tables and figures."""
    input:
        JOBS.targets("all_curves"),


rule claims:
    """Decide the claims of the studies from records."""
    input:
        **inputs("claims"),
    output:
        **outputs(
            "claims",
            csv=dict(
                caption="../report/claims.rst",
                category="Claims",
                labels={"format": "CSV"},
            ),
            html=dict(
                caption="../report/claims.rst",
                category="Claims",
                labels={"format": "HTML"},
            ),
        ),
    log:
        log_of("claims"),
    benchmark:
        benchmark_of("claims")
    resources:
        **resources("claims"),
    params:
        **params("claims"),
    shell:
        command("claims")


rule runs:
    """List all runs with results, costs and learning curves."""
    input:
        **inputs("runs"),
    output:
        **outputs("runs"),
    log:
        log_of("runs"),
    benchmark:
        benchmark_of("runs")
    resources:
        **resources("runs"),
    params:
        **params("runs"),
    shell:
        command("runs")


rule page:
    """Join the finished parts of all reports, and a gallery of formulas, on one page."""
    input:
        **inputs("page"),
    output:
        **outputs(
            "page",
            page=dict(caption="../report/page.rst", category="Everything on one page"),
        ),
    log:
        log_of("page"),
    benchmark:
        benchmark_of("page")
    resources:
        **resources("page"),
    params:
        **params("page"),
    shell:
        command("page")
