"""Self-supervised training: what its arithmetic is, and that it goes through restarts like any
other.
"""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from train.tiny_training import (
    ENTRY,
    Images,
    dino_recipe,
    finetune,
    pretrain,
    pretrain_dino,
    recipe,
)

from fdsl.train import Devices, optim, weights
from fdsl.train.checkpoint import Interrupted
from fdsl.train.dino import CentredLoss, SelfDistillation
from fdsl.train.distributed import Processes
from fdsl.train.input.loader import TrainingImages
from fdsl.train.input.samplers import InfiniteSampler
from fdsl.train.metrics import NonFiniteLoss
from fdsl.train.task import ClassificationTask

ALONE = Processes(0, 1, torch.device("cpu"))


def task(settings, tmp_path):
    return ClassificationTask(
        kind="pretrain",
        run="r",
        scale="laptop",
        pretraining="p",
        dataset="p",
        seed=3,
        recipe=settings,
        model=ENTRY,
        train=Images(50),
        test=None,
        classes=0,
        record=tmp_path / "r",
        checkpoints=tmp_path / "c",
        code="",
        inputs={},
        environment={},
    )


def objective(settings, tmp_path):
    return SelfDistillation(task(settings, tmp_path), ALONE)


def batch(made, settings, positions=range(4)):
    images = TrainingImages(
        Images(50), made.transform(), stream=InfiniteSampler(50, seed=3, repeated_aug=1), seed=3
    )
    return images.__getitems__(positions)


def record(folder):
    return json.loads((folder / "record.json").read_text())


def tensors(folder):
    return weights.read(folder / "model.safetensors")[0]


def lines(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in found]


def assert_same(folder, other):
    assert (folder / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert record(folder)["result"] == record(other)["result"]
    assert lines(folder) == lines(other)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dino")
    pretrain_dino(folder, recipe=dino_recipe(epochs=6))
    return folder


# --- what is left


def test_the_teacher_is_left_without_a_head_and_can_be_finetuned(tmp_path, reference):
    found = tensors(reference)
    assert not [name for name in found if "head" in name or "teacher" in name]
    assert {"cls_token", "pos_embed", "blocks.1.mlp.fc2.weight", "norm.bias"} <= found.keys()
    result = record(reference)["result"]
    assert (result["classes"], result["steps"]) == (0, 6 * 50 // 16)
    card = (reference / "README.md").read_text()
    for words in ["without their labels", "of the teacher, without a head", "student and teacher"]:
        assert words in card
    assert '"out_dim": 16' in card
    assert record(reference)["recipe"]["dino"]["views"]["local_crops"] == 2
    frozen = recipe(epochs=1, lr=1e-9, warmup_lr=0, min_lr=0, weight_decay=0)
    finetune(
        tmp_path, recipe=frozen, weights=reference / "model.safetensors", pretraining="stripes"
    )
    assert torch.allclose(tensors(tmp_path)["pos_embed"], found["pos_embed"], atol=1e-6)


def test_timm_loads_the_teacher_from_its_folder(reference):
    model = timm.create_model(f"local-dir:{reference}", pretrained=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tensors(reference)[name])
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 32)
    headed = timm.create_model(f"local-dir:{reference}", pretrained=True, num_classes=7)
    assert torch.equal(headed.pos_embed, tensors(reference)["pos_embed"])
    assert headed(torch.zeros(2, 1, 16, 16)).shape == (2, 7)


class Shades(Images):
    """Images of 4 kinds that differ in brightness, which no crop or flip changes."""

    def __getitem__(self, index):
        noise = np.random.default_rng(index).normal(0, 10, (16, 16))
        label = int(self.labels[index])
        return (20 + 70 * label + noise).clip(0, 255).astype(np.uint8), label


def test_it_tells_kinds_apart_that_nobody_told_it(tmp_path):
    calm = {"jitter": 0.0, "gray": 0.0, "blur": (0.0, 0.0, 0.0), "solarize": 0.0, "local_crops": 0}
    settings = dino_recipe(
        epochs=30,
        freeze_last_layer_epochs=0,
        teacher_momentum=0.95,
        teacher_temperature=0.04,
        weight_decay_end=0.05,
        views=calm,
    )
    pretrain_dino(tmp_path, recipe=settings, images=Shades(48))
    found = lines(tmp_path)
    # of one output for all, and of all outputs alike, the centre would make a loss near log 16 =
    # 2.77
    assert found[-1]["loss"] < 0.3 < found[0]["loss"]
    assert sum(line["correct"] for line in found[-10:]) > 0.9 * 160


# --- arithmetic


def test_the_loss_is_the_papers_and_its_centre_moves_once_an_update():
    settings = dino_recipe().dino
    generator = torch.Generator().manual_seed(0)
    draw = lambda views: torch.randn(views, 3, 16, generator=generator)
    loss, parts = CentredLoss(settings), [(draw(2), draw(4)) for _ in range(2)]
    centre = torch.zeros(16)
    for epoch, temperature in [(0, 0.04), (1, 0.055), (2, 0.07), (9, 0.07)]:
        for taught, learned in parts:
            terms = [
                -(
                    torch.softmax((taught[t] - centre) / temperature, -1)
                    * torch.log_softmax(learned[s] / 0.1, -1)
                )
                .sum(-1)
                .mean()
                for t in range(2)
                for s in range(4)
                if s != t
            ]
            found = loss(list(taught), list(learned), epoch=epoch)
            assert found == pytest.approx(float(torch.stack(terms).mean()), rel=1e-5)
        loss.settle()
        mean = torch.cat([taught.flatten(0, 1) for taught, _ in parts]).mean(0)
        centre = 0.9 * centre + 0.1 * mean
        assert torch.allclose(loss.center.flatten(), centre, atol=1e-6)


def test_an_update_moves_the_teacher_by_its_momentum_and_the_decay_by_its_schedule(tmp_path):
    settings = dino_recipe(weight_decay=0.04)
    made = objective(settings, tmp_path)
    optimizer = optim.optimizer(made.network, recipe=settings)
    before = {name: tensor.clone() for name, tensor in made.teacher.state_dict().items()}
    steps = 4 * 50 // 16
    for step, momentum, decay in [
        (0, 0.9, 0.04),
        (steps // 2, 0.95, 0.22),
        (steps - 1, 0.9983, 0.394),
    ]:
        made.network.zero_grad()
        loss, _ = made.loss(made.network, batch(made, settings), step=step)
        loss.backward()
        made.before_update(optimizer, step=step)
        assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(decay, abs=1e-3)
        assert optimizer.param_groups[1]["weight_decay"] == 0
        optimizer.step()
        centre = made.state()["loss"]["center"].clone()
        made.after_update(step=step)
        assert not torch.equal(made.state()["loss"]["center"], centre)
        student = made.network.state_dict()
        for name, tensor in made.teacher.state_dict().items():
            expected = momentum * before[name] + (1 - momentum) * student[name]
            assert torch.allclose(tensor, expected, atol=2e-5), name
        assert not torch.equal(
            made.teacher.state_dict()["backbone.pos_embed"], before["backbone.pos_embed"]
        )
        before = {name: tensor.clone() for name, tensor in made.teacher.state_dict().items()}
    assert not any(parameter.requires_grad for parameter in made.teacher.parameters())


def test_the_last_layer_is_frozen_in_the_first_epoch_only(tmp_path):
    settings = dino_recipe()
    made = objective(settings, tmp_path)
    last = made.network.head.last_layer
    for step, frozen in [(0, True), (3, True), (4, False)]:  # 50 images are 3.1 batches
        made.network.zero_grad()
        made.loss(made.network, batch(made, settings), step=step)[0].backward()
        made.before_update(optim.optimizer(made.network, recipe=settings), step=step)
        assert (last.weight_v.grad is None) == frozen
        assert last.weight_g.grad is None  # normalised
    free = objective(dino_recipe(norm_last_layer=False), tmp_path)
    assert free.network.head.last_layer.weight_g.requires_grad


def test_student_and_teacher_begin_alike_and_depend_on_the_seed_alone(tmp_path):
    torch.manual_seed(1)
    made = objective(dino_recipe(), tmp_path)
    state = torch.get_rng_state()
    again = objective(dino_recipe(), tmp_path)
    assert torch.equal(state, torch.get_rng_state())
    for name, tensor in made.network.state_dict().items():
        assert torch.equal(tensor, made.teacher.state_dict()[name])
        assert torch.equal(tensor, again.network.state_dict()[name])


def test_large_views_alone_are_enough(tmp_path):
    pretrain_dino(tmp_path, recipe=dino_recipe(epochs=2, views={"local_crops": 0}))
    assert record(tmp_path)["result"]["final_loss"] > 0


# --- execution


def test_loader_processes_change_nothing(tmp_path, reference):
    pretrain_dino(tmp_path, recipe=dino_recipe(epochs=6), devices={"loader_workers": 2})
    assert_same(tmp_path, reference)


def test_interrupted_after_every_update_it_ends_with_the_same_bits(tmp_path, reference):
    attempts = 0
    while not (tmp_path / "record.json").exists():
        attempts += 1
        with contextlib.suppress(Interrupted):
            pretrain_dino(tmp_path, recipe=dino_recipe(epochs=6), devices={"wall_seconds": 1e-6})
    assert attempts == 18
    assert_same(tmp_path, reference)


def test_accumulated_micro_batches_equal_one_big_batch(tmp_path):
    plain = dino_recipe(drop_path=0.0, optimizer="sgd", lr=0.05, epochs=6)
    pretrain_dino(tmp_path / "one", recipe=plain)
    pretrain_dino(tmp_path / "many", recipe=plain, devices={"micro_batch": 4})
    theirs = tensors(tmp_path / "one")
    for name, tensor in tensors(tmp_path / "many").items():
        assert torch.allclose(tensor, theirs[name], atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_too(tmp_path, precision):
    pretrain_dino(tmp_path, recipe=dino_recipe(epochs=2, precision=precision))
    assert record(tmp_path)["result"]["final_loss"] < 5


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(NonFiniteLoss, match="loss = nan at update 0"):
        pretrain_dino(tmp_path, recipe=dino_recipe(std=1e-44))
    assert (tmp_path / "nonfinite.json").is_file()
    assert not (tmp_path / "record.json").exists()


def test_what_cannot_work_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="the recipe has no section dino"):
        pretrain_dino(tmp_path, recipe=recipe(), classes=4)
    with pytest.raises(ValueError, match="has a section dino, but labels are to be learned"):
        pretrain(tmp_path, recipe=dino_recipe(), classes=4)
    with pytest.raises(
        ValueError, match="local_size_px = 12 is no multiple of the network's patches of 8 px"
    ):
        pretrain_dino(tmp_path, recipe=dino_recipe(views={"local_size_px": 12}))
    strict = replace(task(dino_recipe(), tmp_path), devices=Devices(deterministic=True))
    with pytest.raises(ValueError, match="DINO has no deterministic gradient on a GPU"):
        SelfDistillation(strict, Processes(0, 1, torch.device("cuda")))
