import json
import shutil

import pytest
import yaml
from workflow.configured import ROOT, USER, configuration

from fdsl import formulas
from fdsl.io.storage import read_json
from fdsl.schema import recipe_files, yaml_files
from fdsl.schema.base import ConfigError, validate
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.scale import DatasetOverride, Finetuning
from fdsl.schema.smaller import Reduction
from fdsl.schema.study.paper import Study
from fdsl.schema.study.tables import Column
from fdsl.workflow import load as settings
from fdsl.workflow.checks import check, check_columns


@pytest.fixture(scope="module")
def config():
    return configuration()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale": "lptop"}, "scale = 'lptop'.*'laptop', 'workstation' or 'paper'"),
        ({"sacle": "laptop"}, "sacle = 'laptop' is an unknown key.*did you mean 'scale'"),
        ({"seeds": "many"}, "seeds = 'many'"),
        ({"seeds": []}, r"seeds = \[\]"),
        ({"seeds": [0, 0]}, r"seeds.*twice"),
        ({"seeds": [-1]}, r"seeds\.0 = -1"),
        ({"dataset_seed": -1}, "dataset_seed = -1: should be greater than or equal to 0"),
        ({"loader_workers": 1000}, "loader_workers = 1000: should be less than or equal to 256"),
    ],
)
def test_a_fault_in_the_users_file_names_key_value_and_range(change, words):
    with pytest.raises(ConfigError, match=rf"(?s)config\.yaml.*{words}"):
        settings.load({**USER, **change})


def test_every_recipe_names_a_network_of_the_catalogue(tmp_path):
    folder = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", folder)
    path = folder / "recipes" / "pretrain_resnet50.yaml"
    path.write_text(path.read_text().replace("value: resnet50", "value: resnet51"))
    with pytest.raises(ConfigError, match=r"recipes/pretrain_resnet50.*'resnet51'.*'resnet50'"):
        settings.load(USER, folder=folder)


def test_every_synthetic_dataset_is_complete_at_every_scale(config):
    for scale in config.scales:
        for name in config.synthetic:
            entry = config.dataset(scale, name)
            formulas.get(entry.formula).Settings.model_validate(entry.settings)


def test_a_scale_overrides_and_nothing_else(config):
    published, reduced = config.synthetic["fractaldb1k"], config.dataset("laptop", "fractaldb1k")
    assert reduced.formula == published.formula
    assert reduced.classes < published.classes
    assert published.settings.items() - reduced.settings.items()
    assert reduced.settings.keys() >= published.settings.keys()
    assert config.dataset("paper", "fractaldb1k") == published


def test_only_the_published_budget_is_comparable(config):
    assert [name for name, scale in config.scales.items() if scale.comparable] == ["paper"]
    assert not config.scales["paper"].datasets
    assert not any(rule.override for rule in config.scales["paper"].pretrain)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(ConfigError, match="the key 'a' stands twice"):
        yaml_files.read_yaml(tmp_path / "x.yaml")


def test_broken_yaml_names_file_and_line(tmp_path):
    (tmp_path / "x.yaml").write_text("a: [1\nb: 2\n")
    with pytest.raises(ConfigError, match=r"(?s)x\.yaml is not valid YAML.*line 2"):
        yaml_files.read_yaml(tmp_path / "x.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.yaml is missing"):
        yaml_files.read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize("name", ["a; rm -rf x", "../x", "A", "", "a-b", "a\n"])
def test_names_that_could_reach_a_shell_or_a_path_are_refused(tmp_path, name):
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "models.yaml").write_text(
        yaml.safe_dump({name: {"title": "t", "timm": "x", "source": "s"}})
    )
    with pytest.raises(ConfigError, match="cannot be a name"):
        yaml_files.catalog(tmp_path, "models", ModelEntry)


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"pretrained": True}},
        {"arguments": {"checkpoint_path": "/tmp/x.pth"}},
        {"arguments": {"pretrained_cfg": {"url": "https://example.org/x.pth"}}},
        {"timm": "hf-hub:someone/something"},
        {"timm": "local-dir:/tmp/x"},
    ],
)
def test_a_network_of_the_catalogue_brings_no_weights_from_elsewhere(change):
    with pytest.raises(ConfigError, match=r"weights from elsewhere|timm = "):
        validate(ModelEntry, {"timm": "vit_tiny_patch16_224"} | change, where="models.yaml")


@pytest.mark.parametrize("kind", ["tables", "figures", "claims"])
@pytest.mark.parametrize("name", ["a; rm -rf x", "../x", "a\n", "$(x)", "A", "", "x\x1b[2J"])
def test_names_of_a_study_that_could_reach_a_shell_or_a_path_are_refused(kind, name):
    values = yaml.safe_load((ROOT / "workflow" / "studies" / "contours.yaml").read_text())
    values[kind] = {name: next(iter(values[kind].values()))}
    with pytest.raises(ConfigError, match="should match pattern") as caught:
        validate(Study, values, where="contours.yaml")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_shards_have_four_digits(number):
    values = yaml.safe_load((ROOT / "workflow" / "scales" / "laptop.yaml").read_text())
    with pytest.raises(ConfigError, match=rf"shards\.default = {number}"):
        validate(settings.Scale, values | {"shards": {"default": number}}, where="laptop.yaml")


def test_the_schemas_are_those_of_the_code():
    for name, schema in settings.schemas().items():
        held = read_json(ROOT / "workflow" / "schemas" / f"{name}.json")
        assert held == json.loads(json.dumps(schema)), (
            f"workflow/schemas/{name}.json is old: run `make schemas`"
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "vit_bse"}, "model = 'vit_bse' is unknown.*did you mean 'vit_base'"),
        ({"pretraining": "rcdb"}, "pretraining = 'rcdb' is unknown"),
        ({"page": "ftp://x"}, "page = 'ftp://x'"),
        ({"file": "../x.pth"}, r"file = '\.\./x\.pth'"),
        ({"file": ".."}, r"file = '\.\.'"),
        ({"sha256": "abc"}, "sha256 = 'abc'"),
        ({"lr": 1}, "lr = 1 is an unknown key"),
    ],
)
def test_a_fault_in_published_weights_names_entry_key_and_value(tmp_path, change, words):
    folder = shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    path = folder / "catalog" / "published_weights.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["authors_rcdb21k"] |= change
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(ConfigError, match=rf"published_weights\.yaml: authors_rcdb21k: {words}"):
        settings.load(USER, folder=folder)


def test_published_weights_cannot_take_the_name_of_a_dataset(tmp_path):
    folder = shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    path = folder / "catalog" / "published_weights.yaml"
    entries = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({"rcdb1k": entries["authors_rcdb21k"]}))
    with pytest.raises(ConfigError, match="rcdb1k: the name is taken"):
        settings.load(USER, folder=folder)


def test_every_recipe_states_its_objective(config):
    for name, recipe in config.recipes.items():
        expected = "dino" if "dino" in recipe else "cross_entropy"
        assert recipe_files.flat(recipe)["objective"].value == expected, name


def changed(config, *, scale=None, real=None):
    """Check the configuration again with changes of the paper scale's finetune or of a real
    pre-training.
    """
    name = "paper"
    update = {}
    if scale is not None:
        plans = {key: Finetuning(**plan) for key, plan in scale.items()}
        old = config.scales[name]
        merged = old.model_copy(update={"finetune": {**old.finetune, **plans}})
        update["scales"] = {**config.scales, name: merged}
    if real is not None:
        key, dataset = real
        entry = config.pretrainings[key].model_copy(update={"dataset": dataset})
        update["pretrainings"] = {**config.pretrainings, key: entry}
    check(config.model_copy(update=update))


SMALL = "finetune_small_sets"


def test_an_objective_that_does_not_go_with_the_labels_is_refused_before_any_job(config):
    binary = {"objective": "binary"}
    changed(config, scale={"voc12_multilabel": {"recipe": SMALL, "override": binary}})
    for scale, words in (
        ({"voc12_multilabel": {"recipe": SMALL}}, "objective = cross_entropy.*needs binary"),
        ({"cars": {"recipe": SMALL, "override": binary}}, "= binary.*needs cross_entropy"),
        ({"coco2017": {"recipe": SMALL}}, "nothing to classify or no part to test on"),
        ({"pass": {"recipe": SMALL}}, "nothing to classify or no part to test on"),
    ):
        with pytest.raises(ConfigError, match=rf"scales/paper\.yaml: finetune\..*{words}"):
            changed(config, scale=scale)


def test_pictures_without_labels_cannot_supervise(config):
    changed(config, real=("imagenet1k_dino", "pass"))
    with pytest.raises(ConfigError, match="imagenet1k_supervised: pass has no labels"):
        changed(config, real=("imagenet1k_supervised", "pass"))


@pytest.mark.parametrize(
    ("dataset", "evaluation", "allowed"),
    [
        ("cifar10", "finetune", None),
        ("cifar10", "knn", None),
        ("voc12_multilabel", "map", None),
        ("coco2017", "box_ap", None),
        ("cifar10", "map", "finetune, knn, linear"),
        ("voc12_multilabel", "finetune", "it allows map"),
        ("voc12_multilabel", "linear", "it allows map"),
        ("coco2017", "finetune", "detection only, or nothing at all"),
        ("pass", "knn", "detection only, or nothing at all"),
        ("cifar10", "mask_ap", "no objects to detect"),
    ],
)
def test_a_column_measures_what_its_dataset_allows(dataset, evaluation, allowed, config):
    column = Column(label="x", dataset=dataset, evaluation=evaluation)
    if allowed is None:
        check_columns(config, "columns", [column], "study")
        return
    with pytest.raises(ConfigError, match=allowed):
        check_columns(config, "columns", [column], "study")


SMALL_POINTS = {"image_size_px": 128, "points": 3000}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "fractaldb1k",
            {"settings": SMALL_POINTS, "reduce": {"to_px": 48}},
            "fractaldb1k: image_size_px = 128 must be a multiple of .* 1 × 48 = 48",
        ),
        (
            "exfractaldb1k",
            {"settings": SMALL_POINTS, "reduce": {"zoom": 0, "to_px": 64}},
            "exfractaldb1k.reduce.zoom = 0",
        ),
        (
            "mvfractaldb1k",
            {"instances": 100},
            "mvfractaldb1k: instances = 100 .* 145 or more .*1740.* view: random",
        ),
    ],
)
def test_a_dataset_that_a_scale_cannot_draw_is_refused_in_one_sentence(
    tmp_path, name, change, words
):
    folder = shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    path = folder / "scales" / "laptop.yaml"
    values = yaml.safe_load(path.read_text())
    values["datasets"][name] = change
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=rf"scales/laptop\.yaml: datasets\.{words}") as caught:
        settings.load(USER, folder=folder)
    assert "\n" not in str(caught.value)


DIGITS = {"recipe": "finetune_laptop", "resplit": True}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"finetune": {"digits": DIGITS}}, r"finetune\.digits.*needs a number of train_labels"),
        (
            {"finetune": {"digits": {**DIGITS, "train_labels": 200, "test_images": 50}}},
            r"finetune\.digits.*test_images = null",
        ),
        (
            {"finetune": {"fashion_mnist": {**DIGITS, "train_labels": 200}}},
            "finetune of fashion_mnist: resplit = true tests .* that imagenet1k_dino is .* or skip",
        ),
        ({"if_at_hand": ["cifar11"]}, "if_at_hand = 'cifar11' is unknown.*did you mean 'cifar10'"),
    ],
)
def test_what_a_scale_cannot_do_is_refused_in_one_sentence(tmp_path, change, words):
    folder = shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    path = folder / "scales" / "laptop.yaml"
    values = yaml.safe_load(path.read_text())
    finetune = values["finetune"] | change.get("finetune", {})
    path.write_text(yaml.safe_dump({**values, **change, "finetune": finetune}))
    with pytest.raises(ConfigError, match=rf"scales/laptop\.yaml: .*{words}") as caught:
        settings.load(USER, folder=folder)
    assert "\n" not in str(caught.value)


def test_a_scale_reduces_pictures_and_spreads_instances(config):
    scale = config.scales["laptop"]
    override = scale.datasets["exfractaldb1k"].model_copy(
        update={"settings": SMALL_POINTS, "reduce": Reduction(zoom=2, to_px=32)}
    )
    datasets = {"exfractaldb1k": override, "bezier144": DatasetOverride(classes=10)}
    scales = {"laptop": scale.model_copy(update={"datasets": datasets})}
    config = config.model_copy(update={"scales": scales})
    entry = config.dataset("laptop", "exfractaldb1k")
    assert (entry.instances, entry.spread_over, entry.side_px) == (100, 1000, 32)
    assert config.dataset("laptop", "bezier144").hashed_fields().keys().isdisjoint(entry.OPTIONAL)
    assert config.dataset("laptop", "rcdb1k") == config.synthetic["rcdb1k"]


def test_instances_of_every_reduced_dataset_reach_the_last_weights(config):
    """100 instances of 145 weights used to be those of the first coefficients alone."""
    for scale, name in ((s, n) for s in config.scales for n in config.scales[s].datasets):
        entry, whole = config.dataset(scale, name), config.synthetic[name].instances
        assert entry.drawn_instance(entry.instances - 1) >= whole - -(-whole // entry.instances)
