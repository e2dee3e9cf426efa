"""Stage 4: the real images that networks are fine-tuned on.

REQUIRED INPUTS: the user's copy below `data_root`, Debian's package, or a download where the licence allows one.
OUTPUTS: results/{scale}/downstream/{dataset}.json, the manifest of a checked local copy; {dataset}.record.json
"""


rule fetch_downstream:
    """Find, fetch if necessary, and check a downstream dataset. Seconds, or a download."""
    input:
        composed=lambda w: PLAN.files.composed(w.scale, w.dataset),
    output:
        manifest="results/{scale}/downstream/{dataset}.json",
        record="results/{scale}/downstream/{dataset}.record.json",
    log:
        "logs/{scale}/fetch_downstream/{dataset}.log",
    benchmark:
        "benchmarks/{scale}/fetch_downstream/{dataset}.tsv"
    priority: 100
    threads: lambda w: PLAN.machine.resources(w.scale, "fetch_downstream").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "fetch_downstream").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "fetch_downstream").runtime,
        data=lambda w: PLAN.sources.data(w.dataset, scale=w.scale),
    params:
        order=lambda w: PLAN.orders.fetching(w.dataset),
    shell:
        r"""
        python -m fdsl fetch-downstream --order {params.order:q} --data={resources.data:q} \
            --out {output.manifest:q} --record {output.record:q} &>{log:q}
        """
