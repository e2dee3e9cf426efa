"""Stage 5c: Mask R-CNN on a pre-trained network, or a fresh one, learns to find objects and is tested as COCO does.

REQUIRED INPUTS: the manifest of a dataset in COCO's format, and its folder where the workflow composes it; weights and their
record unless the run starts from scratch.
OUTPUTS: results/{scale}/detect/{run}/record.json and metrics.jsonl
"""


rule detect:
    """Train a detector and test it, in one process. A minute on a CPU core to weeks on a GPU; goes on where it was killed."""
    input:
        manifest=lambda w: PLAN.files.manifest(w.scale, w.run),
        # made again where somebody deleted it; the manifest says whether it is another
        composed=lambda w: ancient(
            PLAN.files.composed(w.scale, Run.read(w.run).downstream)
        ),
        weights=lambda w: ancient(
            PLAN.files.initial(w.scale, w.run, "model.safetensors")
        ),
        digest=lambda w: PLAN.files.initial(w.scale, w.run, "record.json"),
    output:
        record="results/{scale}/detect/{run}/record.json",
        metrics="results/{scale}/detect/{run}/metrics.jsonl",
    log:
        "logs/{scale}/detect/{run}.log",
    benchmark:
        "benchmarks/{scale}/detect/{run}.tsv"
    threads: lambda w: PLAN.machine.resources(w.scale, "detect").threads
    resources:
        mem_mb=lambda w: PLAN.machine.resources(w.scale, "detect").mem_mb,
        runtime=lambda w: PLAN.machine.resources(w.scale, "detect").runtime,
        gpu=lambda w: PLAN.machine.resources(w.scale, "detect").gpu,
        machine=PLAN.machine.settings(),
        data=lambda w: PLAN.sources.data(Run.read(w.run).downstream, scale=w.scale),
    params:
        order=lambda w: PLAN.orders.detecting(w.scale, w.run),
        code=fingerprint("fdsl.train.detection.detect", "fdsl.datasets.splits"),
        checkpoints="results/{scale}/checkpoints/{run}",
    shell:
        r"""
        python -m fdsl detect --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --manifest {input.manifest:q} \
            --checkpoints {params.checkpoints:q} --machine {resources.machine:q} --threads {threads} \
            --record {output.record:q} -- {input.weights:q} &>{log:q}
        """
