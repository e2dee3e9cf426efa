"""Between stages 3 and 6: where pre-trained networks look, for the figures.

REQUIRED INPUTS: weights of a pre-training and, for the pictures, the parameters of its dataset or the manifest of real ones.
OUTPUTS: results/{scale}/attention/{run}.npz and .record.json
"""


rule attention:
    """Draw a few images of a pre-training and look where its network attends. Seconds."""
    input:
        weights=ancient("results/{scale}/pretrain/{run}/model.safetensors"),
        digest="results/{scale}/pretrain/{run}/record.json",
        manifest=lambda w: PLAN.files.attention_manifest(w.scale, w.run),
    output:
        maps="results/{scale}/attention/{run}.npz",
        record="results/{scale}/attention/{run}.record.json",
    log:
        "logs/{scale}/attention/{run}.log",
    benchmark:
        "benchmarks/{scale}/attention/{run}.tsv"
    threads: lambda w: PLAN.machine.resources(w.scale, "attention").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "attention").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "attention").runtime,
        data=lambda w: PLAN.sources.pretraining_data(w.scale, w.run),
    params:
        order=lambda w: PLAN.orders.pretraining(w.scale, w.run),
        code=lambda w: PLAN.codes.attention(w.run),
    shell:
        r"""
        python -m fdsl attention --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --weights {input.weights:q} --out {output.maps:q} --record {output.record:q} \
            -- {input.manifest:q} &>{log:q}
        """
