"""Before stage 4: a small dataset in COCO's format, composed from real pictures, where COCO itself cannot be had.

REQUIRED INPUTS: the manifests of the datasets whose pictures become objects.
OUTPUTS: results/{scale}/composed/{dataset}/, with pictures and annotations in COCO's layout; {dataset}.record.json
"""


rule compose:
    """Lay real pictures over one another on canvases, with exact boxes and masks. Seconds."""
    input:
        manifests=lambda w: PLAN.files.ingredients(w.scale, w.dataset),
    output:
        folder=directory("results/{scale}/composed/{dataset}"),
        record="results/{scale}/composed/{dataset}.record.json",
    log:
        "logs/{scale}/compose/{dataset}.log",
    benchmark:
        "benchmarks/{scale}/compose/{dataset}.tsv"
    priority: 100
    threads: lambda w: PLAN.machine.resources(w.scale, "compose").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "compose").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "compose").runtime,
        data=lambda w: PLAN.sources.ingredient_data(w.dataset),
    params:
        order=lambda w: PLAN.orders.composing(w.dataset),
        code=fingerprint("fdsl.datasets.compose", "fdsl.datasets.splits"),
    shell:
        r"""
        python -m fdsl compose --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --out {output.folder:q} --record {output.record:q} -- {input.manifests:q} &>{log:q}
        """
