"""Stage 5b: a frozen network, pre-trained or fresh, is tested by k-NN and a linear probe on its features.

REQUIRED INPUTS: the manifest of the downstream dataset; weights and their record unless the run starts from scratch.
OUTPUTS: results/{scale}/probe/{run}/record.json
"""


rule probe:
    """Classify frozen features of a downstream dataset. Seconds on a CPU core to hours; nothing of the network is trained."""
    input:
        manifest=lambda w: PLAN.files.manifest(w.scale, w.run),
        weights=lambda w: ancient(
            PLAN.files.initial(w.scale, w.run, "model.safetensors")
        ),
        digest=lambda w: PLAN.files.initial(w.scale, w.run, "record.json"),
    output:
        record="results/{scale}/probe/{run}/record.json",
    log:
        "logs/{scale}/probe/{run}.log",
    benchmark:
        "benchmarks/{scale}/probe/{run}.tsv"
    threads: lambda w: PLAN.machine.resources(w.scale, "probe").threads
    resources:
        mem_mb=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "probe").mem_mb,
        runtime=lambda w, attempt: attempt
        * PLAN.machine.resources(w.scale, "probe").runtime,
        gpu=lambda w: PLAN.machine.resources(w.scale, "probe").gpu,
        machine=PLAN.machine.settings(),
        data=lambda w: PLAN.sources.data(Run.read(w.run).downstream),
    params:
        order=lambda w: PLAN.orders.probing(w.scale, w.run),
        code=fingerprint("fdsl.train.probe", "fdsl.datasets.splits"),
    shell:
        r"""
        python -m fdsl probe --order {params.order:q} --code {params.code:q} --data={resources.data:q} \
            --manifest {input.manifest:q} \
            --machine {resources.machine:q} --threads {threads} \
            --record {output.record:q} -- {input.weights:q} &>{log:q}
        """
