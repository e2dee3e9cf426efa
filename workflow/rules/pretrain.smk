"""Stage 3: a network learns to tell the categories of a synthetic dataset apart.

REQUIRED INPUTS: parameters and, unless the scale streams its images, shards.
OUTPUTS: results/{scale}/pretrain/{run}/model.safetensors and record.json
"""


rule pretrain:
    """Pre-train a network on a synthetic dataset. A minute on a CPU core to days on a GPU; goes on where it was killed."""
    input:
        images=lambda w: ancient(PLAN.images(w.scale, w.run, "arrow")),
        digests=lambda w: PLAN.images(w.scale, w.run, "json"),
    output:
        weights="results/{scale}/pretrain/{run}/model.safetensors",
        record="results/{scale}/pretrain/{run}/record.json",
    log:
        "logs/{scale}/pretrain/{run}.log",
    benchmark:
        "benchmarks/{scale}/pretrain/{run}.tsv"
    # the longest jobs first, so that the short ones fill the gaps
    priority: 10
    threads: lambda w: PLAN.resources(w.scale, "pretrain").threads
    resources:
        mem_mb=lambda w: PLAN.resources(w.scale, "pretrain").mem_mb,
        runtime=lambda w: PLAN.resources(w.scale, "pretrain").runtime,
        gpu=lambda w: PLAN.resources(w.scale, "pretrain").gpu,
        machine=PLAN.machine(),
    params:
        order=lambda w: PLAN.pretraining(w.scale, w.run),
        code=lambda w: PLAN.pretraining_code(w.run),
        checkpoints="results/{scale}/checkpoints/{run}",
    shell:
        r"""
        python -m fdsl pretrain --order {params.order:q} --code {params.code:q} \
            --checkpoints {params.checkpoints:q} --machine {resources.machine:q} --threads {threads} \
            --weights {output.weights:q} --record {output.record:q} -- {input.images:q} &>{log:q}
        """
