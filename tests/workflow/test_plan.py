import json
import re
from pathlib import Path

import pytest
import yaml
from fdsl.workflow.plan import Plan
from hypothesis import given
from hypothesis import strategies as st

from fdsl.schema import yaml_files
from fdsl.schema.base import ConfigError
from fdsl.workflow import load as settings
from fdsl.workflow.launch import Spread, launcher
from fdsl.workflow.runs import Run

ROOT = Path(__file__).parents[2]
names = st.from_regex(yaml_files.NAME, fullmatch=True).filter(lambda name: "\n" not in name)


TINY = "fractaldb1k-vit_tiny-s0"
BASE = "fractaldb21k-vit_base-s0"


def plan(**changes):
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    return Plan(settings.load({**values, **changes}))


@given(names, names, st.integers(0, 10**6), st.none() | names)
def test_a_run_key_reads_back(pretraining, model, seed, downstream):
    run = Run(pretraining, model, seed, downstream)
    assert Run.read(run.key) == run


@pytest.mark.parametrize(
    "key",
    ["", "fractaldb1k", "fractaldb1k-vit_tiny", "a-b-c-d-s0", "../x-b-s0", "a-b-s-1", "A-b-s0"],
)
def test_what_is_not_a_run_key_is_refused(key):
    with pytest.raises(ValueError, match="is not a run key"):
        Run.read(key)


def test_a_table_needs_each_row_column_and_seed_once():
    laptop = plan()
    found = laptop.runs.of_table("table3")
    runs = [measurement.run for measurement in found if measurement.stage == "finetune"]
    assert (
        len(set(found)) == len(found) == 2 * len(runs)
    )  # each is evaluated with frozen features too
    assert len(runs) == len(set(runs)) == (6 * 2 - 1) * 3
    assert {run.pretraining for run in runs} == {
        "scratch",
        "fractaldb1k",
        "rcdb1k",
        "exfractaldb1k",
        "imagenet1k_supervised",
        "imagenet1k_dino",
    }
    assert {run.downstream for run in runs} == {"fashion_mnist", "digits"}


def test_table_5_needs_one_detection_for_each_row_whatever_its_columns():
    laptop = plan()
    found = laptop.runs.of_table("table5")
    assert {measurement.stage for measurement in found} == {"detect"}
    assert [measurement.run.pretraining for measurement in found] == [
        row.pretraining for row in laptop.runs.table("table5").rows
    ]
    keys = {(m.run.model, m.run.downstream, m.run.seed) for m in found}
    assert keys == {("vit_micro", "composed_pictures", 0)}
    assert len(plan(seeds=[4, 5]).runs.of_table("table5")) == 14
    paper = plan(scale="paper").runs.of_table("table5")
    assert {(m.run.model, m.run.downstream) for m in paper} == {("swin_base", "coco2017")}


def test_the_order_of_a_detection_holds_its_recipe_and_no_place():
    laptop = plan(data_root="elsewhere")
    key = "rcdb1k-vit_micro-composed_pictures-s0"
    order = json.loads(laptop.orders.detecting("laptop", key))
    assert order["recipe"]["strides"] == [4, 8, 16]
    assert (order["classes"], order["run_seed"], order["pretraining"]) == (20, 0, "rcdb1k")
    assert order["model"]["arguments"]["in_chans"] == 1
    assert "elsewhere" not in json.dumps(order)
    with pytest.raises(ValueError, match="names no downstream dataset"):
        laptop.orders.detecting("laptop", "rcdb1k-vit_micro-s0")


def test_a_composed_dataset_belongs_to_a_scale_and_is_made_of_others():
    laptop = plan(data_root="elsewhere")
    name = "composed_pictures"
    assert laptop.files.composed("paper", name) == ["results/paper/composed/composed_pictures"]
    assert laptop.files.composed("laptop", "digits") == []
    assert json.loads(laptop.sources.data(name, scale="paper"))["root"] == "results/paper/composed"
    assert json.loads(laptop.sources.data("digits"))["root"] == "elsewhere"
    manifests = [f"results/laptop/downstream/{each}.json" for each in ("digits", "fashion_mnist")]
    assert laptop.files.ingredients("laptop", name) == manifests
    assert json.loads(laptop.sources.ingredient_data(name))["digits"]["root"] == "elsewhere"
    laptop.sources.require_downstream([name])  # it will be made, so nothing is missing
    with pytest.raises(ValueError, match="digits is not composed"):
        laptop.orders.composing("digits")


def test_what_was_pretrained_on_the_labels_of_a_dataset_is_not_evaluated_on_it():
    laptop = plan()
    keys = {m.run.key for m in laptop.runs.of_table("table3")}
    assert "imagenet1k_supervised-vit_micro-digits-s0" in keys
    assert "imagenet1k_supervised-vit_micro-fashion_mnist-s0" not in keys
    assert "imagenet1k_dino-vit_micro-fashion_mnist-s0" in keys
    order = json.loads(laptop.orders.pretraining("laptop", "imagenet1k_dino-vit_micro-s0"))
    assert (order["train_labels"], order["left_out_seeds"]) == (1000, [0, 1, 2])
    assert laptop.files.image_digests("laptop", "imagenet1k_dino-vit_micro-s0") == [
        "results/laptop/downstream/fashion_mnist.json"
    ]
    assert laptop.files.images("laptop", "imagenet1k_dino-vit_micro-s0") == []


def test_a_gain_over_another_table_needs_its_records():
    found = {m.run.pretraining for m in plan().runs.of_table("table2")}
    assert found == {
        "bezier1024",
        "bezier144",
        "rcdb1k",
        "rcdb1k_vertices",
        "exfractaldb1k",
        "fractaldb1k",
    }


def test_a_column_may_choose_the_network():
    models = {m.run.model for m in plan(scale="paper").runs.of_table("table4")}
    assert models == {"vit_tiny", "vit_base"}


def test_the_paper_scale_runs_the_printed_columns_at_published_sizes():
    paper = plan(scale="paper")
    assert {m.run.downstream for m in paper.runs.of_table("table3")} == {
        "cifar10",
        "cifar100",
        "cars",
        "flowers",
        "voc12",
        "places30",
        "imagenet100",
    }
    order = json.loads(paper.orders.pretraining("paper", "fractaldb1k-vit_tiny-s0"))
    assert (order["dataset"]["classes"], order["dataset"]["instances"]) == (1000, 1000)
    assert (order["recipe"]["epochs"], order["recipe"]["image_size_px"]) == (300, 224)
    assert order["recipe"]["model"] == "vit_tiny"


def test_the_users_seeds_replace_the_scales():
    assert {m.run.seed for m in plan(seeds=[7]).runs.of_table("table3")} == {7}


def test_where_a_job_runs_is_no_part_of_its_order():
    here, there = (
        plan(),
        plan(
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
    assert here.orders.pretraining("laptop", key) == there.orders.pretraining("laptop", key)
    assert here.orders.finetuning("laptop", tuned) == there.orders.finetuning("laptop", tuned)
    assert here.orders.probing("laptop", tuned) == there.orders.probing("laptop", tuned)
    assert here.machine.settings() != there.machine.settings()


def test_a_probe_sees_what_the_fine_tuning_of_its_key_sees_and_nothing_of_its_training():
    laptop, key = plan(), "rcdb1k-vit_micro-digits-s1"
    tuned, probed = (
        json.loads(order)
        for order in (laptop.orders.finetuning("laptop", key), laptop.orders.probing("laptop", key))
    )
    shared = tuned.keys() & probed.keys()
    assert {name: tuned[name] for name in shared} == {name: probed[name] for name in shared}
    assert tuned.keys() - probed.keys() == {"recipe"}
    assert probed.keys() - tuned.keys() == {"preparation", "probe"}
    assert probed["preparation"] == {
        "model": "vit_micro",
        "image_size_px": 32,
        "mean": 0.5,
        "std": 0.5,
    }
    assert probed["probe"]["k"] == 20


@pytest.mark.parametrize(
    ("override", "changes"),
    [({"lr": 0.5, "epochs": 7}, False), ({"image_size_px": 48}, True), ({"mean": 0.4}, True)],
)
def test_only_what_decides_it_changes_the_order_of_a_probe(override, changes):
    laptop, key = plan(), "scratch-vit_micro-digits-s0"
    scale = laptop.config.scales["laptop"]
    training = scale.finetune["digits"].model_copy(update={"override": override})
    scales = laptop.config.scales | {
        "laptop": scale.model_copy(update={"finetune": scale.finetune | {"digits": training}})
    }
    other = Plan(laptop.config.model_copy(update={"scales": scales}))
    assert other.orders.finetuning("laptop", key) != laptop.orders.finetuning("laptop", key)
    assert (other.orders.probing("laptop", key) != laptop.orders.probing("laptop", key)) == changes


def test_a_probe_without_a_downstream_dataset_is_refused():
    with pytest.raises(ValueError, match="names no downstream dataset"):
        plan().orders.probing("laptop", "rcdb1k-vit_micro-s0")


def test_scratch_starts_from_no_weights():
    assert plan().files.initial("laptop", "scratch-vit_micro-digits-s0", "model.safetensors") == []
    assert plan().files.initial("paper", "rcdb1k-vit_tiny-cars-s2", "record.json") == [
        "results/paper/pretrain/rcdb1k-vit_tiny-s2/record.json"
    ]


def test_seeds_share_the_pretrainings_of_the_scale_in_turn():
    laptop = plan()
    assert laptop.config.scales["laptop"].pretrain_seeds == [0]
    assert laptop.files.initial("laptop", "rcdb1k-vit_micro-digits-s2", "record.json") == [
        "results/laptop/pretrain/rcdb1k-vit_micro-s0/record.json"
    ]


def test_streamed_images_need_no_shards():
    laptop = plan()
    stored = laptop.files.images("laptop", "rcdb1k-vit_micro-s0")
    assert stored == [f"results/laptop/images/rcdb1k/shard-000{k}.arrow" for k in range(2)]
    scales = {
        **laptop.config.scales,
        "laptop": laptop.config.scales["laptop"].model_copy(update={"images": "stream"}),
    }
    streaming = Plan(laptop.config.model_copy(update={"scales": scales}))
    assert streaming.files.images("laptop", "rcdb1k-vit_micro-s0") == [
        "results/laptop/parameters/rcdb1k.parquet"
    ]


def test_what_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"no study has a table 'table99'; there are: .*table3"):
        plan().runs.table("table99")
    with pytest.raises(ValueError, match=r"no study has a figure 'figure99'; there are: .*figure2"):
        plan().reports.drawing("figure99")
    with pytest.raises(ValueError, match=r"no study has a table or figure 'table99'; there are: "):
        plan().reports.told("table99")
    with pytest.raises(ValueError, match="names no downstream dataset"):
        plan().orders.finetuning("laptop", "rcdb1k-vit_micro-s0")


def with_override(name, change, *, images="stream"):
    """Return a plan whose paper scale pre-trains on a dataset with some of the augmentation
    changed.
    """
    paper = plan(scale="paper").config
    scale = paper.scales["paper"]
    rule = paper.pretraining("paper", name, "vit_tiny")
    changed = rule.model_copy(update={"override": {"augmentation": change}})
    rules = [changed if other == rule else other for other in scale.pretrain]
    scale = scale.model_copy(update={"images": images, "pretrain": rules})
    return Plan(paper.model_copy(update={"scales": {**paper.scales, "paper": scale}}))


@pytest.mark.parametrize("name", ["ofdb2d_1k", "ofdb3d_1k"])
def test_a_training_on_ofdb_is_ordered_with_its_augmentations(name):
    changed = with_override(name, {"ofdb": ["texture", "pattern"]})
    order = json.loads(changed.orders.pretraining("paper", f"{name}-vit_tiny-s0"))
    assert order["images"] == "stream"
    assert order["recipe"]["augmentation"]["ofdb"] == ["pattern", "texture"]
    assert order["recipe"]["augmentation"]["one_per_category"] is True
    assert order["recipe"]["epochs"] == 80_000


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
        with_override(dataset, {"ofdb": names}, images=images).orders.pretraining("paper", key)
    with_override(dataset, {"ofdb": []}, images=images).orders.pretraining("paper", key)


def test_one_image_of_each_category_excludes_repeats():
    with pytest.raises(ConfigError, match=r"one_per_category = true .* repeated_aug = 3: use 1"):
        with_override("rcdb1k", {"one_per_category": True}).orders.pretraining(
            "paper", "rcdb1k-vit_tiny-s0"
        )


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "lr"),
    [
        ("ofdb2d_1k", 80_000, 256, 1e-3),
        ("ofdb3d_1k", 80_000, 256, 1e-3),
        ("ofdb2d_21k", 15_238, 1024, 5e-4),
        ("ofdb3d_21k", 15_238, 1024, 5e-4),
    ],
)
def test_the_paper_scale_trains_on_ofdb_as_published(name, epochs, batch, lr):
    order = json.loads(plan(scale="paper").orders.pretraining("paper", f"{name}-vit_tiny-s0"))
    recipe = order["recipe"]
    assert (recipe["epochs"], recipe["global_batch"], recipe["lr"]) == (epochs, batch, lr)
    assert recipe["augmentation"]["one_per_category"] is True
    assert recipe["augmentation"]["ofdb"] == []


def test_published_weights_take_the_place_of_a_pretraining():
    name = "authors_visualatom1k"
    assert plan().files.initial("paper", f"{name}-vit_tiny-cars-s2", "model.safetensors") == [
        f"results/paper/released/{name}/model.safetensors"
    ]
    order, place = (
        json.loads(plan().orders.adoption("paper", name)),
        json.loads(plan().sources.weights(name)),
    )
    assert order["entry"]["classes"] == 1000
    assert order["model"]["timm"] == "vit_tiny_patch16_224"
    assert "page" not in order["entry"]  # words re-run nothing
    assert place["entry"]["page"].startswith("https://")
    assert "root" not in order


def test_a_row_of_published_weights_runs_their_network():
    paper = plan(scale="paper")
    study = paper.config.studies["contours"]
    table = study.tables["table3"]
    row = table.rows[0].model_copy(update={"pretraining": "authors_fractaldb1k_resnet50"})
    tables = {"table3": table.model_copy(update={"rows": [*table.rows, row]})}
    studies = {"contours": study.model_copy(update={"tables": tables})}
    changed = Plan(paper.config.model_copy(update={"studies": studies}))
    runs = [measurement.run for measurement in changed.runs.of_table("table3")]
    assert {run.model for run in runs if run.pretraining == row.pretraining} == {"resnet50"}
    assert {run.model for run in runs if run.pretraining != row.pretraining} == {"vit_tiny"}
    pretrainings = changed.runs.pretrainings(changed.runs.of_table("table3"))
    assert row.pretraining not in {run.pretraining for run in pretrainings}


def test_words_of_a_model_card_are_no_part_of_an_order():
    key = "fractaldb1k-vit_micro-s0"
    about = json.loads(plan().sources.about("laptop", key))
    assert (about["title"], about["comparable"]) == ("FractalDB-1k", False)
    for words in (about["banner"], about["source"], about["model_title"]):
        assert words not in plan().orders.pretraining("laptop", key)


def test_the_model_card_of_real_pictures_names_their_terms():
    about = json.loads(plan().sources.about("laptop", "imagenet1k_dino-vit_micro-s0"))
    assert about["terms"] == plan().config.downstream["fashion_mnist"].licence
    assert "Fashion" in about["title"]


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
    order = json.loads(plan(scale="paper").orders.pretraining("paper", key))
    recipe = order["recipe"]
    assert (recipe["epochs"], recipe["global_batch"], recipe["lr"]) == (epochs, batch, lr)
    assert recipe["model"] == Run.read(key).model


@pytest.mark.parametrize(
    ("downstream", "optimizer", "epochs"), [("imagenet1k", "adamw", 300), ("cars", "sgd", 1000)]
)
def test_the_paper_scale_fine_tunes_on_imagenet_by_a_recipe_of_its_own(
    downstream, optimizer, epochs
):
    key = f"rcdb21k-vit_base-{downstream}-s0"
    recipe = json.loads(plan(scale="paper").orders.finetuning("paper", key))["recipe"]
    assert (recipe["optimizer"], recipe["epochs"], recipe["model"]) == (
        optimizer,
        epochs,
        "vit_base",
    )


@pytest.mark.parametrize(
    ("scale", "changes", "count"),
    [
        ("laptop", {}, 1),
        ("laptop", {"processes": 2}, 2),
        ("paper", {}, 1),
        ("paper", {"gpu": 4}, 4),
        ("paper", {"gpu": 4, "processes": 2}, 2),
        ("paper", {"gpu": 4, "device": "cpu"}, 1),
    ],
)
def test_a_training_has_a_process_for_each_gpu_or_as_many_as_the_user_says(scale, changes, count):
    gpu = changes.pop("gpu", None)
    here = plan(scale=scale, **changes)
    if gpu:
        resources = here.config.scales[scale].resources
        resources["pretrain"] = resources["pretrain"].model_copy(update={"gpu": gpu})
    assert here.machine.spread(scale, "pretrain", TINY) == Spread(1, count)
    assert here.machine.launcher(scale, "pretrain", TINY) == launcher(Spread(1, count))


def test_a_job_has_a_thread_for_each_of_its_processes():
    assert plan(processes=3).machine.threads("laptop", "finetune", TINY) == 3
    assert plan(scale="paper", processes=3).machine.threads("paper", "pretrain", TINY) == 16
    assert (
        plan(scale="paper", spread={"vit_base": "2x24"}).machine.threads("paper", "pretrain", BASE)
        == 24
    )


def test_a_spread_network_has_hosts_and_gpus_and_others_have_none():
    here = plan(scale="paper", spread={"vit_base": "4x8"})
    assert here.machine.devices("paper", "pretrain", BASE) == {
        "mpi": "srun",
        "nodes": 4,
        "tasks_per_node": 8,
        "tasks_per_gpu": 0,
        "cpus_per_task": 2,
        "gres": "gpu:8",
    }
    assert here.machine.launcher("paper", "pretrain", BASE) == launcher(
        Spread(4, 8), threads=16, gpus=True
    )
    assert here.machine.devices("paper", "pretrain", TINY) == {"gpu": 1}
    tuned = BASE.replace("-s0", "-cifar10-s0")
    assert here.machine.devices("paper", "finetune", tuned) == {"gpu": 1}
    assert here.machine.launcher("paper", "finetune", tuned) == launcher(Spread(1, 1))


def test_one_process_on_each_of_many_hosts():
    shape = plan(scale="paper", spread={"vit_base": "2x1"}).machine.devices(
        "paper", "pretrain", BASE
    )
    assert (shape["tasks"], shape["gres"], "tasks_per_node" in shape) == (2, "gpu:1", False)


def test_a_network_spread_on_one_host_needs_no_srun():
    here = plan(scale="paper", spread={"vit_base": "1x8"})
    assert here.machine.devices("paper", "pretrain", BASE) == {"gpu": 8}
    assert here.machine.launcher("paper", "pretrain", BASE) == launcher(Spread(1, 8))


def test_without_gpus_none_is_asked_for():
    here = plan(scale="paper", spread={"vit_base": "2x1"}, device="cpu")
    assert here.machine.devices("paper", "pretrain", TINY) == {"gpu": 0}
    assert "gres" not in here.machine.devices("paper", "pretrain", BASE)
    assert "--gres" not in here.machine.launcher("paper", "pretrain", BASE)


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        ({"vit_bas": "4x8"}, "did you mean 'vit_base'"),
        ({"vit_base": "32"}, "spread.vit_base = '32'"),
        ({"vit_base": "2x2; true"}, "spread.vit_base = '2x2; true'"),
    ],
)
def test_a_spread_that_cannot_be_is_refused(spread, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        plan(spread=spread)


def test_what_snakemakes_report_is_told_is_one_line_without_markup():
    laptop = plan()
    study = laptop.config.studies["contours"]
    evil = "x\n\n.. raw:: html\n\n   <script>a</script>\n\n`b <javascript:c>`_"
    table = study.tables["table3"].model_copy(update={"title": evil})
    tables = {**study.tables, "table3": table}
    laptop.config.studies["contours"] = study.model_copy(update={"tables": tables})
    told = laptop.reports.told("table3")
    assert "\n" not in told
    assert r"\:\: html" in told
    assert r"\`b <javascript\:c>\`\_" in told
