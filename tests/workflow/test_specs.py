"""What decides a job, and what does not."""

import json

import pytest
from workflow.configured import job_table, with_scale, with_study

from fdsl.schema.base import ConfigError
from fdsl.workflow.runs import Run


def test_the_spec_of_a_detection_holds_its_recipe_and_no_place():
    laptop = job_table(data_root="elsewhere")
    key = "rcdb1k-vit_micro-composed_pictures-s0"
    spec = laptop.specs.detect("laptop", key)
    assert spec["recipe"]["strides"] == [4, 8, 16]
    assert (spec["classes"], spec["run_seed"], spec["pretraining"]) == (20, 0, "rcdb1k")
    assert spec["model"]["arguments"]["patch_size"] == 8
    assert "elsewhere" not in json.dumps(spec)
    with pytest.raises(ValueError, match="names no downstream dataset"):
        laptop.specs.detect("laptop", "rcdb1k-vit_micro-s0")


def test_the_paper_scale_draws_and_trains_at_published_sizes():
    spec = job_table(scale="paper").specs.pretrain("paper", "fractaldb1k-vit_tiny-s0")
    assert (spec["dataset"]["classes"], spec["dataset"]["instances"]) == (1000, 1000)
    assert (spec["recipe"]["epochs"], spec["recipe"]["image_size_px"]) == (300, 224)
    assert spec["recipe"]["model"] == "vit_tiny"


def test_where_a_job_runs_is_no_part_of_its_spec():
    here, there = (
        job_table(),
        job_table(
            device="cpu",
            micro_batch=16,
            loader_workers=3,
            data_root="/elsewhere",
            checkpoint_seconds=5,
            processes=4,
            compile=True,
            deterministic=True,
        ),
    )
    key, tuned = "fractaldb1k-vit_micro-s0", "fractaldb1k-vit_micro-digits-s0"
    assert here.specs.pretrain("laptop", key) == there.specs.pretrain("laptop", key)
    assert here.specs.finetune("laptop", tuned) == there.specs.finetune("laptop", tuned)
    assert here.specs.probe("laptop", tuned) == there.specs.probe("laptop", tuned)
    assert here.config.user != there.config.user


def test_a_probe_sees_what_the_fine_tuning_of_its_key_sees_and_nothing_of_its_training():
    laptop, key = job_table(), "rcdb1k-vit_micro-digits-s1"
    tuned, probed = laptop.specs.finetune("laptop", key), laptop.specs.probe("laptop", key)
    shared = tuned.keys() & probed.keys()
    assert {name: tuned[name] for name in shared} == {name: probed[name] for name in shared}
    assert tuned.keys() - probed.keys() == {"recipe"}
    assert probed.keys() - tuned.keys() == {"preparation", "probe"}
    assert probed["preparation"] == {
        "model": "vit_micro",
        "image_size_px": 32,
        "normalisation": tuned["recipe"]["normalisation"],
        "mean": 0.5,
        "std": 0.5,
        "position_start": tuned["recipe"]["position_start"],
        "eval_crop": None,
    }
    assert probed["probe"]["k"] == 20


@pytest.mark.parametrize(
    ("override", "changes"),
    [({"lr": 0.5, "epochs": 70}, False), ({"image_size_px": 48}, True), ({"mean": 0.4}, True)],
)
def test_only_what_decides_it_changes_the_spec_of_a_probe(override, changes):
    laptop, key = job_table(), "scratch-vit_micro-digits-s0"
    finetune = laptop.config.scales["laptop"].finetune
    training = finetune["digits"].model_copy(update={"override": override})
    other = with_scale(laptop, finetune={**finetune, "digits": training})
    assert other.specs.finetune("laptop", key) != laptop.specs.finetune("laptop", key)
    assert (other.specs.probe("laptop", key) != laptop.specs.probe("laptop", key)) == changes


def test_a_probe_without_a_downstream_dataset_is_refused():
    with pytest.raises(ValueError, match="names no downstream dataset"):
        job_table().specs.probe("laptop", "rcdb1k-vit_micro-s0")


def test_what_does_not_exist_is_named():
    specs = job_table().specs
    with pytest.raises(ValueError, match=r"no study has a figure 'figure99'; there are: .*figure2"):
        specs.figure("figure99")
    with pytest.raises(ValueError, match=r"no study has a table or figure 'table99'; there are: "):
        specs.caption("table99")
    with pytest.raises(ValueError, match="names no downstream dataset"):
        specs.finetune("laptop", "rcdb1k-vit_micro-s0")
    with pytest.raises(ValueError, match="digits is not a composed dataset"):
        specs.compose("laptop", "digits")


def test_real_images_that_any_seed_fine_tunes_on_are_left_out_of_a_pretraining():
    spec = job_table().specs.pretrain("laptop", "imagenet1k_dino-vit_micro-s0")
    assert (spec["train_labels"], spec["left_out_seeds"]) == (200, [0, 1, 2, 3])
    spec = job_table(seeds=[7]).specs.pretrain("laptop", "imagenet1k_dino-vit_micro-s7")
    assert spec["left_out_seeds"] == [7]


def test_each_replicate_has_a_draw_a_pretraining_and_labels_of_its_own():
    laptop = job_table(dataset_seed=10)
    pretrained, tuned, probed = (
        [getattr(laptop.specs, rule)("laptop", f"rcdb1k-vit_micro{of}-s{s}") for s in range(4)]
        for rule, of in (("pretrain", ""), ("finetune", "-digits"), ("probe", "-digits"))
    )
    assert [spec["seed"] for spec in pretrained] == [10, 11, 12, 13]
    for seed, spec in enumerate(pretrained):
        draw = "rcdb1k" if seed == 0 else f"rcdb1k-d{seed}"
        drawn = laptop.specs.sample_parameters("laptop", draw)
        assert {name: spec[name] for name in drawn} == drawn
        assert spec["run_seed"] == seed
        assert spec["replicate"] == {"draw": seed, "pretraining": seed, "finetuning": None}
        stages = {"draw": seed, "pretraining": seed, "finetuning": seed}
        assert tuned[seed]["replicate"] == probed[seed]["replicate"] == stages
        assert tuned[seed]["run_seed"] == seed
    assert pretrained[0]["dataset"] == pretrained[3]["dataset"]


def test_a_spec_says_which_stages_replicates_have_in_common():
    table = with_scale(job_table(), pretrain_seeds=[2, 5], draws=[0, 4, 7])
    shared = table.specs.finetune("laptop", "rcdb1k-vit_micro-digits-s1")["replicate"]
    assert shared == {"draw": 7, "pretraining": 5, "finetuning": 1}  # 5 mod 3 = 2
    pretrained = table.specs.pretrain("laptop", "rcdb1k-vit_micro-s5")
    assert (pretrained["replicate"]["draw"], pretrained["seed"]) == (7, 7)
    for name, network in (("scratch", "vit_micro"), ("authors_visualatom1k", "vit_tiny")):
        alone = table.specs.finetune("laptop", f"{name}-{network}-digits-s1")["replicate"]
        assert alone == {"draw": None, "pretraining": None, "finetuning": 1}


def with_override(name, change, *, images="stream"):
    """Return a job table whose paper scale pre-trains on a dataset with other augmentation."""
    paper = job_table(scale="paper")
    rule = paper.config.pretraining("paper", name, "vit_tiny")
    changed = rule.model_copy(update={"override": {"augmentation": change}})
    rules = paper.config.scales["paper"].pretrain
    rules = [changed if other == rule else other for other in rules]
    return with_scale(paper, images=images, pretrain=rules)


@pytest.mark.parametrize("name", ["ofdb2d_1k", "ofdb3d_1k"])
def test_the_spec_of_a_training_on_ofdb_holds_its_augmentations(name):
    changed = with_override(name, {"ofdb": ["texture", "pattern"]})
    spec = changed.specs.pretrain("paper", f"{name}-vit_tiny-s0")
    assert spec["images"] == "stream"
    assert spec["recipe"]["augmentation"]["ofdb"] == ["pattern", "texture"]
    assert spec["recipe"]["augmentation"]["one_per_category"] is True
    assert spec["recipe"]["epochs"] == 80_000


@pytest.mark.parametrize(
    ("names", "images", "dataset", "text"),
    [
        (["ifs"], "shards", "ofdb2d_1k", "scales/paper.yaml: .* but images are stored"),
        (["texture"], "shards", "rcdb1k", "cannot be used on the formula rcdb"),
        (["ifs"], "stream", "fractaldb1k", "Set weighted: false"),
        (["rotation"], "shards", "imagenet1k_supervised", "cannot be used on real images"),
        (["moire"], "stream", "ofdb2d_1k", "augmentation.ofdb.*'moire'"),
        (["ifs", "ifs"], "stream", "ofdb2d_1k", "each may be listed once"),
    ],
)
def test_augmentations_that_cannot_be_are_refused_before_any_job(names, images, dataset, text):
    key = f"{dataset}-vit_tiny-s0"
    with pytest.raises(ConfigError, match=text):
        with_override(dataset, {"ofdb": names}, images=images).specs.pretrain("paper", key)
    with_override(dataset, {"ofdb": []}, images=images).specs.pretrain("paper", key)


def test_one_image_of_each_category_excludes_repeats():
    with pytest.raises(ConfigError, match=r"one_per_category = true .* repeated_aug = 3: use 1"):
        with_override("rcdb1k", {"one_per_category": True}).specs.pretrain(
            "paper", "rcdb1k-vit_tiny-s0"
        )


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "lr"),
    [
        ("ofdb2d_1k", 80_000, 256, 5e-4),
        ("ofdb3d_1k", 80_000, 256, 5e-4),
        ("ofdb2d_21k", 15_238, 1024, 5e-4),
        ("ofdb3d_21k", 15_238, 1024, 5e-4),
    ],
)
def test_the_paper_scale_trains_on_ofdb_as_published(name, epochs, batch, lr):
    spec = job_table(scale="paper").specs.pretrain("paper", f"{name}-vit_tiny-s0")
    recipe = spec["recipe"]
    assert (recipe["epochs"], recipe["global_batch"], recipe["lr"]) == (epochs, batch, lr)
    assert recipe["augmentation"]["one_per_category"] is True
    assert recipe["augmentation"]["ofdb"] == []


def test_what_is_only_told_of_published_weights_is_no_part_of_their_spec():
    name, table = "authors_visualatom1k", job_table(data_root="elsewhere")
    spec = table.specs.import_weights("paper", name)
    assert spec["entry"]["classes"] == 1000
    assert spec["model"]["timm"] == "vit_tiny_patch16_224"
    assert table.config.published_weights[name].page.startswith("https://")
    assert "page" not in spec["entry"]
    assert "elsewhere" not in json.dumps(spec)


@pytest.mark.parametrize(
    ("key", "epochs", "batch", "lr"),
    [
        ("rcdb1k-vit_tiny-s0", 300, 1024, 6e-4),
        ("rcdb1k-vit_base-s0", 300, 256, 1e-3),
        ("rcdb21k-vit_tiny-s0", 90, 8192, 8e-3),
        ("rcdb21k-vit_base-s0", 90, 8192, 1e-3),
        ("exfractaldb50k-vit_tiny-s0", 40, 8192, 8e-3),
        ("exfractaldb50k-vit_base-s0", 40, 8192, 1e-3),
        ("visualatom1k-vit_tiny-s0", 300, 1024, 1e-3),
        ("imagenet21k_supervised-vit_base-s0", 300, 1024, 1e-3),
        ("rcdb21k-swin_base-s0", 90, 4096, 1e-3),
        ("exfractaldb1k-swin_base-s0", 300, 1024, 1e-3),
    ],
)
def test_the_paper_scale_takes_the_recipe_of_network_and_dataset(key, epochs, batch, lr):
    spec = job_table(scale="paper").specs.pretrain("paper", key)
    recipe = spec["recipe"]
    assert (recipe["epochs"], recipe["global_batch"], recipe["lr"]) == (epochs, batch, lr)
    assert recipe["model"] == Run.read(key).model


@pytest.mark.parametrize(
    ("downstream", "optimizer", "epochs"), [("imagenet1k", "adamw", 300), ("cars", "sgd", 1000)]
)
def test_the_paper_scale_fine_tunes_on_imagenet_by_a_recipe_of_its_own(
    downstream, optimizer, epochs
):
    key = f"rcdb21k-vit_base-{downstream}-s0"
    recipe = job_table(scale="paper").specs.finetune("paper", key)["recipe"]
    assert (recipe["optimizer"], recipe["epochs"], recipe["model"]) == (
        optimizer,
        epochs,
        "vit_base",
    )


def test_a_caption_of_snakemakes_report_is_one_line_without_markup():
    laptop = job_table()
    evil = "x\n\n.. raw:: html\n\n   <script>a</script>\n\n`b <javascript:c>`_"
    tables = laptop.config.studies["contours"].tables
    table = tables["table3"].model_copy(update={"title": evil})
    caption = with_study(laptop, tables={**tables, "table3": table}).specs.caption("table3")
    assert "\n" not in caption
    assert r"\:\: html" in caption
    assert r"\`b <javascript\:c>\`\_" in caption
