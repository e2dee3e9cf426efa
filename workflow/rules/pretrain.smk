"""Pre-trained networks: trained here on synthetic or real images, or published by the authors."""


rule pretrain:
    """Pre-train a network, or resume. A minute on a CPU core to days on a GPU."""
    input:
        **inputs("pretrain"),
    output:
        **outputs("pretrain"),
    log:
        log_of("pretrain"),
    benchmark:
        benchmark_of("pretrain")
    priority: 10
    threads: threads_of("pretrain")
    resources:
        **resources("pretrain"),
    params:
        **params("pretrain"),
    shell:
        command("pretrain")


rule import_weights:
    """Read published weights safely, in the form of a pre-training. Seconds on a CPU core."""
    output:
        **outputs("import_weights"),
    log:
        log_of("import_weights"),
    benchmark:
        benchmark_of("import_weights")
    threads: threads_of("import_weights")
    resources:
        **resources("import_weights"),
    params:
        **params("import_weights"),
    shell:
        command("import_weights")


rule attention:
    """Draw a few images of a pre-training and map the network's attention. Seconds."""
    input:
        **inputs("attention"),
    output:
        **outputs("attention"),
    log:
        log_of("attention"),
    benchmark:
        benchmark_of("attention")
    threads: threads_of("attention")
    resources:
        **resources("attention"),
    params:
        **params("attention"),
    shell:
        command("attention")
