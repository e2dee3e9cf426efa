"""Stage 5: a pre-trained network, or a fresh one, learns a downstream dataset and is tested on it.

REQUIRED INPUTS: the manifest of the downstream dataset; weights and their record unless the run starts from scratch.
OUTPUTS: results/{scale}/finetune/{run}/record.json and metrics.jsonl
"""


rule finetune:
    """Fine-tune on a downstream dataset and test. Seconds on a CPU core to a day on a GPU; goes on where it was killed."""
    input:
        manifest=lambda w: PLAN.files.manifest(w.scale, w.run),
        weights=lambda w: ancient(
            PLAN.files.initial(w.scale, w.run, "model.safetensors")
        ),
        digest=lambda w: PLAN.files.initial(w.scale, w.run, "record.json"),
    output:
        record="results/{scale}/finetune/{run}/record.json",
        metrics="results/{scale}/finetune/{run}/metrics.jsonl",
    log:
        "logs/{scale}/finetune/{run}.log",
    benchmark:
        "benchmarks/{scale}/finetune/{run}.tsv"
    threads: lambda w: PLAN.machine.threads(w.scale, "finetune", w.run)
    resources:
        **devices("finetune"),
        mem_mb=lambda w: PLAN.machine.resources(w.scale, "finetune").mem_mb,
        runtime=lambda w: PLAN.machine.resources(w.scale, "finetune").runtime,
        machine=PLAN.machine.settings(),
        launch=lambda w: PLAN.machine.launcher(w.scale, "finetune", w.run),
        data=lambda w: PLAN.sources.data(Run.read(w.run).downstream),
    params:
        order=lambda w: PLAN.orders.finetuning(w.scale, w.run),
        code=fingerprint("fdsl.train.finetune", "fdsl.datasets.splits"),
        checkpoints="results/{scale}/checkpoints/{run}",
    shell:
        r"""
        {resources.launch} finetune --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --manifest {input.manifest:q} \
            --checkpoints {params.checkpoints:q} --machine {resources.machine:q} --threads {threads} \
            --record {output.record:q} -- {input.weights:q} &>{log:q}
        """
