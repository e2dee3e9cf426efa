"""Stages 1 and 2: formulas to parameters to stored images.

REQUIRED INPUTS: none.
OUTPUTS: results/{scale}/parameters/{dataset}.parquet, results/{scale}/images/{dataset}/shard-{shard}.arrow

Each file has a small JSON with its digest beside it. Later rules depend on the digest and take the file as `ancient`: a touched
or copied file that did not change then re-trains nothing, whatever its size. The record beside it (settings, seed, code, machine)
is for people and `fdsl verify`: no rule depends on it, so equal images from another machine re-train nothing either.
"""


rule sample_parameters:
    """Search the categories of a synthetic dataset. CPU, seconds to minutes."""
    output:
        parameters="results/{scale}/parameters/{dataset}.parquet",
        digest="results/{scale}/parameters/{dataset}.json",
        record="results/{scale}/parameters/{dataset}.record.json",
    log:
        "logs/{scale}/sample_parameters/{dataset}.log",
    benchmark:
        "benchmarks/{scale}/sample_parameters/{dataset}.tsv"
    # pre-trainings wait for this, and everything else for them
    priority: 30
    threads: lambda w: PLAN.machine.resources(w.scale, "sample_parameters").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "sample_parameters").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "sample_parameters").runtime,
    params:
        order=lambda w: PLAN.orders.sampling(w.scale, w.dataset),
        code=lambda w: PLAN.codes.images("fdsl.images.parameters", dataset=w.dataset),
    shell:
        r"""
        python -m fdsl sample-parameters --order {params.order:q} --code {params.code:q} --workers {threads} \
            --out {output.parameters:q} --digest {output.digest:q} --record {output.record:q} &>{log:q}
        """


rule render_shard:
    """Draw and store one part of a synthetic dataset. CPU, seconds to an hour."""
    input:
        parameters=ancient("results/{scale}/parameters/{dataset}.parquet"),
        digest="results/{scale}/parameters/{dataset}.json",
    output:
        shard="results/{scale}/images/{dataset}/shard-{shard}.arrow",
        digest="results/{scale}/images/{dataset}/shard-{shard}.json",
        record="results/{scale}/images/{dataset}/shard-{shard}.record.json",
    log:
        "logs/{scale}/render_shard/{dataset}-{shard}.log",
    benchmark:
        "benchmarks/{scale}/render_shard/{dataset}-{shard}.tsv"
    priority: 20
    threads: lambda w: PLAN.machine.resources(w.scale, "render_shard").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "render_shard").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "render_shard").runtime,
    params:
        order=lambda w: PLAN.orders.rendering(w.scale, w.dataset, w.shard),
        code=lambda w: PLAN.codes.images("fdsl.images.shards", dataset=w.dataset),
    shell:
        r"""
        python -m fdsl render-shard --order {params.order:q} --code {params.code:q} \
            --parameters {input.parameters:q} \
            --out {output.shard:q} --digest {output.digest:q} --record {output.record:q} &>{log:q}
        """
