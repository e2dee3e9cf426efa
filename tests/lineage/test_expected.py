"""What a configuration may make besides the files of its jobs."""

from workflow.configured import job_table


def test_what_has_no_record_can_be_asked_for_all_the_same(wanted):
    curves = job_table().targets("all_curves")
    assert curves
    assert all(wanted.covers(path) for path in [*curves, "results/report.zip"])
    assert not wanted.covers("results/laptop/pretrain/mine-vit_micro-s0/curves.png")


def test_what_trainings_and_snakemake_leave_beside_the_results_belongs_to_them(wanted):
    run = "fractaldb1k-vit_micro-s0"
    for path in (
        f"results/laptop/checkpoints/{run}/step-1.pt",
        f"results/laptop/checkpoints/{run}.lock",
        f"results/laptop/pretrain/{run}/tensorboard/events",
        f"results/laptop/benchmarks/pretrain/{run}.tsv",
        "results/benchmarks/table/table3.tsv",
        "results/configs/0123456789ab.json",
        "results/laptop/composed/composed_pictures/train/1.png",
    ):
        assert wanted.covers(path), path
        assert not wanted.covers(path.replace("results/", "results/other/"))
    assert not wanted.covers("results/laptop/checkpoints/mine-vit_micro-s0/step-1.pt")
    assert not wanted.covers("results/paper/benchmarks/pretrain/x.tsv")
