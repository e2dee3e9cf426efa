"""The whole workflow, every rule of it, at a scale of seconds."""

SKIPPED = (
    "fractaldb1k",
    "exfractaldb1k",
    "exfractaldb21k",
    "rcdb21k",
    "rcdb1k_broken",
    "imagenet1k_supervised",
    "imagenet1k_shuffled",
    "imagenet1k_dino",
)
# Every rule that makes something for the tables, figures, claims and the page, and what it makes;
# `import_weights` needs a file that others publish, and no claim here needs a `difficulty`.
MADE = {
    "sample_parameters": "results/laptop/parameters/*",
    "render_shard": "results/laptop/images/*/*",
    "fetch_downstream": "results/laptop/downstream/*",
    "compose": "results/laptop/composed/*",
    "pretrain": "results/laptop/pretrain/*",
    "attention": "results/laptop/attention/*",
    "finetune": "results/laptop/finetune/*",
    "probe": "results/laptop/probe/*",
    "detect": "results/laptop/detect/*",
    "table": "results/tables/*",
    "figure": "results/figures/*",
    "claims": "results/claims*",
    "runs": "results/runs*",
    "page": "results/index*",
}
PRETRAINED = "rcdb1k-vit_micro-s0"
PRETRAIN_LOG = "logs/laptop/pretrain/rcdb1k-vit_micro.log"  # of all replicates
TUNED = "rcdb1k-vit_micro-digits-s0"
DETECTED = "rcdb1k-vit_micro-composed_pictures-s0"


def reduce(project):
    """Leave RCDB against scratch on Digits and on canvases composed of Digits: 2 tables, 3 figures,
    claims, the page.
    """
    project.edit("workflow/scales/laptop.yaml", _scale)
    project.edit("workflow/studies/contours.yaml", _study)
    project.edit("workflow/catalog/downstream.yaml", _composed)
    project.edit("config.yaml", lambda config: config.update(checkpoint_seconds=1, device="cpu"))
    return project


def _scale(scale):
    scale["seeds"] = [0]
    scale["skip"] |= dict.fromkeys(SKIPPED, "not part of the tiny scale")
    boxes = {"label": "Composed, AP50", "dataset": "composed_pictures", "evaluation": "box_ap50"}
    scale["stand_ins"] = {"default": [{"label": "Digits", "dataset": "digits"}], "table5": [boxes]}
    scale["datasets"]["rcdb1k"].update(classes=4, instances=24)
    short = {"epochs": 8, "global_batch": 8, "warmup_epochs": 0.5}
    scale["pretrain"] = [{"recipe": "pretrain_laptop", "override": short}]
    scale["finetune"]["digits"].update(train_labels=20, test_images=50, resplit=False)
    scale["finetune"]["digits"]["override"].update(epochs=12, warmup_epochs=0.5, global_batch=8)
    scale["detect"]["override"] = {"epochs": 1}


def _study(study):
    study["tables"] = {name: study["tables"][name] for name in ("table3", "table5")}
    figures = ("figure5", "training_curves", "parameter_distributions")
    study["figures"] = {name: study["figures"][name] for name in figures}
    study["figures"]["parameter_distributions"]["datasets"] = ["rcdb1k"]
    claims = ("formulas_beat_scratch", "broken_contours_fail")
    study["claims"] = {name: study["claims"][name] for name in claims}


def _composed(catalog):
    entry = catalog["composed_pictures"]
    entry.update(classes=10, train_images=40, test_images=30)
    entry["composed"].update(sources={"digits": ["train", "test"]}, train_images=40, test_images=30)
