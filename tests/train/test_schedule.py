import pytest
import torch
from hypothesis import given, strategies as st

from fdsl.train.schedule import Schedule, schedule, split

NUMBERS = {
    "images": 1,
    "global_batch": 1,
    "steps": 100,
    "warmup_steps": 10,
    "lr": 1e-3,
    "warmup_lr": 1e-6,
    "min_lr": 1e-5,
}


def lr_at(step, **numbers):
    return Schedule(**numbers).lr_at(step)


def stepped_lr_at(step, **numbers):
    return Schedule(images=1, global_batch=1, min_lr=0.0, **numbers).lr_at(step)


def test_learning_rate_starts_peaks_and_ends_where_stated():
    assert lr_at(0, **NUMBERS) == 1e-6
    assert lr_at(5, **NUMBERS) == pytest.approx((1e-6 + 1e-3) / 2)
    assert lr_at(10, **NUMBERS) == 1e-3
    assert lr_at(55, **NUMBERS) == pytest.approx((1e-3 + 1e-5) / 2)
    assert lr_at(100, **NUMBERS) == pytest.approx(1e-5)


def test_learning_rate_rises_then_falls():
    rates = [lr_at(step, **NUMBERS) for step in range(101)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_without_warm_up_the_first_update_has_the_peak_rate():
    assert lr_at(0, **{**NUMBERS, "warmup_steps": 0}) == 1e-3


@pytest.mark.parametrize("step", [-1, 101])
def test_steps_outside_the_schedule_are_refused(step):
    with pytest.raises(ValueError, match=f"step {step} is out of range 0 to 100"):
        lr_at(step, **NUMBERS)


def test_a_cool_down_stays_at_the_lowest_rate_and_leaves_the_cosine_alone():
    longer = {**NUMBERS, "steps": 130, "cooldown_steps": 30}
    assert [lr_at(s, **longer) for s in range(101)] == [lr_at(s, **NUMBERS) for s in range(101)]
    assert {lr_at(step, **longer) for step in range(100, 131)} == {lr_at(100, **NUMBERS)}


def test_a_step_schedule_is_that_of_multi_step_lr():
    parameter = torch.nn.Parameter(torch.zeros(1))
    theirs = torch.optim.SGD([parameter], lr=0.01)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(theirs, milestones=[30, 60], gamma=0.1)
    ours = {"steps": 90, "warmup_steps": 0, "lr": 0.01, "warmup_lr": 0.0}
    for step in range(90):
        rate = stepped_lr_at(step, **ours, milestones=(30, 60), gamma=0.1)
        assert rate == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        theirs.step()
        scheduler.step()


def test_a_step_schedule_warms_up_and_refuses_steps_outside():
    numbers = {"steps": 9, "warmup_steps": 4, "lr": 1.0, "warmup_lr": 0.2}
    rates = [stepped_lr_at(s, **numbers, milestones=(6, 8), gamma=0.5) for s in range(10)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="step 10 is out of range 0 to 9"):
        stepped_lr_at(10, **numbers, milestones=(6, 8), gamma=0.5)


@given(
    world=st.integers(1, 6),
    micro=st.integers(1, 7),
    accumulate=st.integers(1, 5),
    step=st.integers(0, 9),
)
def test_slices_of_all_ranks_tile_the_global_batch(world, micro, accumulate, step):
    size = world * micro * accumulate
    parts = split(size, world=world, micro_batch=micro)
    assert (parts.global_batch, parts.accumulate) == (size, accumulate)
    found = [p for rank in range(world) for part in parts.slices(step, rank=rank) for p in part]
    assert sorted(found) == list(range(step * size, (step + 1) * size))


def test_slices_do_not_depend_on_how_many_processes_share_them():
    alone = split(24, world=1, micro_batch=4).slices(3, rank=0)
    pair = split(24, world=2, micro_batch=4)
    zipped = zip(pair.slices(3, rank=0), pair.slices(3, rank=1), strict=True)
    assert [part for both in zipped for part in both] == alone


def test_micro_batch_is_an_upper_limit():
    assert split(64, world=2, micro_batch=256).accumulate == 1
    assert split(64, world=2, micro_batch=None).micro_batch == 32


def test_batches_that_do_not_divide_are_refused_with_sizes_that_do():
    with pytest.raises(
        ValueError, match=r"micro_batch = 5 does not divide 12 .* use 1, 2, 3, 4, 6 or 12"
    ):
        split(12, world=1, micro_batch=5)
    with pytest.raises(ValueError, match="cannot be shared by 5 processes: use 1, 2, 3 or 4"):
        split(12, world=5, micro_batch=None)


def _schedule(images, batch, epochs):
    return Schedule(images, batch, epochs * images // batch, 0, 1.0, 0.0, 0.0)


@given(
    images=st.integers(1, 50),
    batch=st.integers(1, 20),
    epochs=st.integers(1, 9),
    every=st.integers(0, 4),
)
def test_evaluations_are_due_once_per_period_and_at_the_end(images, batch, epochs, every):
    plan = _schedule(images, batch, epochs)
    if plan.steps == 0:
        return
    due = [s for s in range(1, plan.steps + 1) if plan.evaluation_due(s, every_epochs=every)]
    assert due[-1] == plan.steps
    inner = [plan.epoch_after(step) for step in due[:-1]]
    assert inner == sorted(set(inner))
    assert all(epoch < epochs for epoch in inner)
    if every == 0:
        assert inner == []
    elif batch <= images:
        assert len(inner) == plan.epoch_after(plan.steps - 1) // every


def test_recipe_becomes_whole_updates_across_epoch_borders(recipe):
    plan = schedule(recipe(epochs=3, global_batch=16, warmup_epochs=1.0), images=50)
    assert plan.steps == 9  # floor(150 / 16), though an epoch holds 3.125 batches
    assert plan.warmup_steps == 3


def test_cool_down_epochs_come_after_those_of_the_schedule(recipe):
    plain = schedule(recipe(epochs=4, global_batch=16), images=50)
    longer = schedule(recipe(epochs=4, cooldown_epochs=2, global_batch=16), images=50)
    assert (longer.steps, longer.cooldown_steps) == (18, 6)  # floor(300 / 16), floor(200 / 16) = 12
    assert [longer.lr_at(s) for s in range(13)] == [plain.lr_at(s) for s in range(13)]
    assert longer.lr_at(17) == pytest.approx(1e-5)


STEPPED = {"schedule": "step", "milestones": (1, 2), "gamma": 0.1, "min_lr": 0.0}


def test_milestones_of_a_recipe_are_epochs(recipe):
    plan = schedule(recipe(epochs=3, global_batch=10, **STEPPED), images=50)
    assert plan.milestones == (5, 10)
    # warm-up of half an epoch: 2 updates
    rates = [1e-5, (1e-5 + 2e-3) / 2, *[2e-3] * 3, *[2e-4] * 5, *[2e-5] * 5]
    assert [plan.lr_at(step) for step in range(15)] == pytest.approx(rates)


@pytest.mark.parametrize(
    "change",
    [
        {"milestones": ()},
        {"milestones": (2, 1)},
        {"milestones": (0.5, 2)},  # not after the warm-up
        {"milestones": (1, 3)},  # not before the end
        {"gamma": None},
        {"gamma": 1.0},
        {"min_lr": 1e-5},
        {"cooldown_epochs": 1},
        {"schedule": "cosine"},
        {"schedule": "cosine", "milestones": ()},
        {"schedule": "cosine", "gamma": None},
        {"schedule": "linear"},
    ],
)
def test_a_schedule_that_is_not_whole_is_refused(recipe, change):
    recipe(epochs=3, **STEPPED)
    with pytest.raises(ValueError, match=r"milestones|gamma|min_lr|schedule"):
        recipe(epochs=3, **{**STEPPED, **change})


def test_too_small_a_budget_is_refused(recipe):
    with pytest.raises(ValueError, match=r"do not fill one global_batch = 64: .* at most 60"):
        schedule(recipe(epochs=2, global_batch=64), images=30)
