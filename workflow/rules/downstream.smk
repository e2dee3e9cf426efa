"""Networks on downstream datasets: fine-tuned, probed as they are, or trained to detect objects."""


rule finetune:
    """Fine-tune a network and test it, or resume. Seconds on a CPU core to hours on a GPU."""
    input:
        **inputs("finetune"),
    output:
        **outputs("finetune"),
    log:
        log_of("finetune"),
    benchmark:
        benchmark_of("finetune")
    threads: threads_of("finetune")
    resources:
        **resources("finetune"),
    params:
        **params("finetune"),
    shell:
        command("finetune")


rule probe:
    """Classify frozen features by k-NN and a linear probe. Seconds on a CPU core to hours."""
    input:
        **inputs("probe"),
    output:
        **outputs("probe"),
    log:
        log_of("probe"),
    benchmark:
        benchmark_of("probe")
    threads: threads_of("probe")
    resources:
        **resources("probe"),
    params:
        **params("probe"),
    shell:
        command("probe")


rule detect:
    """Train a Mask R-CNN and test it, or resume. A minute on a CPU core to weeks on a GPU."""
    input:
        **inputs("detect"),
    output:
        **outputs("detect"),
    log:
        log_of("detect"),
    benchmark:
        benchmark_of("detect")
    threads: threads_of("detect")
    resources:
        **resources("detect"),
    params:
        **params("detect"),
    shell:
        command("detect")
