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
        **outputs("table", "Tables", csv="CSV", html="HTML"),
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
        **outputs("figure", "Figures", png="PNG"),
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
        **outputs("curves", "Learning curves", png=""),
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
        **outputs("claims", "Claims", csv="CSV", html="HTML"),
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
        **outputs("page", "Everything on one page", page=""),
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
