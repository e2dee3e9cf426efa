"""Stage 3, the other way: weights that the authors published take the place of a pre-training.

REQUIRED INPUTS: the published file in the folder weights below `data_root`, under the name in workflow/catalog/published_weights.yaml.
OUTPUTS: results/{scale}/released/{released}/model.safetensors and record.json; config.json and README.md, with which timm
loads the folder
"""


rule adopt_weights:
    """Read published weights safely and bring them into the form of a pre-training. Seconds on a CPU core."""
    output:
        weights="results/{scale}/released/{released}/model.safetensors",
        record="results/{scale}/released/{released}/record.json",
        config="results/{scale}/released/{released}/config.json",
        card="results/{scale}/released/{released}/README.md",
    log:
        "logs/{scale}/adopt_weights/{released}.log",
    benchmark:
        "benchmarks/{scale}/adopt_weights/{released}.tsv"
    threads: lambda w: PLAN.machine.resources(w.scale, "adopt_weights").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "adopt_weights").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "adopt_weights").runtime,
        data=lambda w: PLAN.sources.weights(w.released),
    params:
        order=lambda w: PLAN.orders.adoption(w.scale, w.released),
        code=fingerprint("fdsl.train.import_weights", "fdsl.train.model_card"),
    shell:
        r"""
        python -m fdsl adopt-weights --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --weights {output.weights:q} --record {output.record:q} &>{log:q}
        """
