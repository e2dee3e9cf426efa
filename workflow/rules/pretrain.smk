"""Stage 3: a network learns from images that formulas drew or, for comparison, from real ones.

REQUIRED INPUTS: parameters or shards of a synthetic dataset; or the manifest of real pictures.
OUTPUTS: results/{scale}/pretrain/{run}/model.safetensors, record.json and metrics.jsonl; config.json and README.md, with which
timm loads the folder
"""


rule pretrain:
    """Pre-train a network. A minute on a CPU core to days on a GPU; goes on where it was killed."""
    input:
        images=lambda w: ancient(PLAN.files.images(w.scale, w.run)),
        digests=lambda w: PLAN.files.image_digests(w.scale, w.run),
    output:
        weights="results/{scale}/pretrain/{run}/model.safetensors",
        record="results/{scale}/pretrain/{run}/record.json",
        config="results/{scale}/pretrain/{run}/config.json",
        card="results/{scale}/pretrain/{run}/README.md",
        metrics="results/{scale}/pretrain/{run}/metrics.jsonl",
    log:
        "logs/{scale}/pretrain/{run}.log",
    benchmark:
        "benchmarks/{scale}/pretrain/{run}.tsv"
    # the longest jobs first, so that the short ones fill the gaps
    priority: 10
    threads: lambda w: PLAN.machine.threads(w.scale, "pretrain", w.run)
    resources:
        **devices("pretrain"),
        mem_mb=lambda w: PLAN.machine.resources(w.scale, "pretrain").mem_mb,
        runtime=lambda w: PLAN.machine.resources(w.scale, "pretrain").runtime,
        machine=PLAN.machine.settings(),
        launch=lambda w: PLAN.machine.launcher(w.scale, "pretrain", w.run),
        data=lambda w: PLAN.sources.pretraining_data(w.scale, w.run),
        about=lambda w: PLAN.sources.about(w.scale, w.run),
    params:
        order=lambda w: PLAN.orders.pretraining(w.scale, w.run),
        code=lambda w: PLAN.codes.pretraining(w.run),
        checkpoints="results/{scale}/checkpoints/{run}",
        manifest=lambda w: PLAN.files.pretraining_manifest(w.scale, w.run),
    shell:
        r"""
        {resources.launch} pretrain --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --manifest={params.manifest:q} \
            --checkpoints {params.checkpoints:q} --machine {resources.machine:q} --threads {threads} \
            --weights {output.weights:q} --record {output.record:q} --about {resources.about:q} \
            -- {input.images:q} &>{log:q}
        """
