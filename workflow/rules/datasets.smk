"""Real images: found or fetched, verified, and composed into a small dataset in COCO's format."""


rule fetch_downstream:
    """Find, fetch if necessary, and check a downstream dataset. Seconds, or a download."""
    input:
        **inputs("fetch_downstream"),
    output:
        **outputs("fetch_downstream"),
    log:
        log_of("fetch_downstream"),
    benchmark:
        benchmark_of("fetch_downstream")
    priority: 100
    threads: threads_of("fetch_downstream")
    resources:
        **resources("fetch_downstream"),
    params:
        **params("fetch_downstream"),
    shell:
        command("fetch_downstream")


rule compose:
    """Lay pictures over one another on canvases, with exact boxes and masks. Seconds."""
    input:
        **inputs("compose"),
    output:
        **outputs("compose"),
    log:
        log_of("compose"),
    benchmark:
        benchmark_of("compose")
    priority: 100
    threads: threads_of("compose")
    resources:
        **resources("compose"),
    params:
        **params("compose"),
    shell:
        command("compose")
