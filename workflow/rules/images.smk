"""Formulas to parameters to stored images.

Each file has a small JSON with its digest beside it. Later rules depend on the digest and take the
file as `ancient`: a touched or copied file that did not change then re-trains nothing, whatever its
size. No rule depends on the record beside it (spec, code, machine), so equal images from another
machine re-train nothing either.
"""


rule sample_parameters:
    """Search the categories of a synthetic dataset. CPU, seconds to minutes."""
    output:
        **outputs("sample_parameters"),
    log:
        log_of("sample_parameters"),
    benchmark:
        benchmark_of("sample_parameters")
    priority: 30
    threads: threads_of("sample_parameters")
    resources:
        **resources("sample_parameters"),
    params:
        **params("sample_parameters"),
    shell:
        command("sample_parameters")


rule render_shard:
    """Draw and store one part of a synthetic dataset. CPU, seconds to an hour."""
    input:
        **inputs("render_shard"),
    output:
        **outputs("render_shard"),
    log:
        log_of("render_shard"),
    benchmark:
        benchmark_of("render_shard")
    priority: 20
    threads: threads_of("render_shard")
    resources:
        **resources("render_shard"),
    params:
        **params("render_shard"),
    shell:
        command("render_shard")


rule difficulty:
    """Measure how hard a synthetic dataset is, by the pixels of its images. CPU, seconds."""
    input:
        **inputs("difficulty"),
    output:
        **outputs("difficulty"),
    log:
        log_of("difficulty"),
    benchmark:
        benchmark_of("difficulty")
    threads: threads_of("difficulty")
    resources:
        **resources("difficulty"),
    params:
        **params("difficulty"),
    shell:
        command("difficulty")
