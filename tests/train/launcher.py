"""Run as a script: trainings in processes of their own, forked after the slow imports, so that
tests can kill or pair them.

launcher.py all FOLDER PORT PORT
                               FOLDER/killed0 and FOLDER/killed2: killed three times with SIGKILL,
                               with 0 and 2 loader processes, then let to its end; FOLDER/pair,
                               FOLDER/ranked: trainings shared by two processes, with one label per
                               image and with several, and FOLDER/tuned: two of them one after
                               the other; FOLDER/dino and FOLDER/dinos: the same of
                               self-supervised trainings; FOLDER/nonfinite: another, of which only
                               the second process sees that it fails
launcher.py here FOLDER        one training in this process, for torchrun
launcher.py compiled FOLDER PORT
                               the same training, compiled, shared by two processes
"""

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import timm  # noqa: F401
from train.tiny_training import (
    Images,
    Mixtures,
    dino_recipe,
    everything_random,
    finetune,
    pretrain,
    pretrain_dino,
    recipe,
)

import fdsl.train.dino
import fdsl.train.pretrain  # noqa: F401
from fdsl.train.metrics import NonFiniteLoss

CHECKPOINT_STEPS = 2
SPOILING = 1e-44  # a standard deviation that makes every pixel infinite


def train(folder, **devices):
    pretrain(folder, recipe=everything_random(epochs=12), devices=devices)


def shared(folder, **devices):
    # pairs of images are mixed within a micro-batch; slices of 8 exist in one process and in two
    recipe = everything_random(epochs=6, clip_norm=None)
    pretrain(folder, recipe=recipe, devices={"micro_batch": 4} | devices)


def compiled(folder):
    shared(folder, compile=True, compile_backend="eager")


def ranked(folder, **changes):
    # as `shared`; 27 test images, so that the processes' shares differ in length
    values = {"epochs": 6, "clip_norm": None, "objective": "binary", "precision": "fp32"}
    finetune(
        folder,
        recipe=everything_random(**(values | changes)),
        train=Mixtures(50),
        test=Mixtures(27, shift=1000),
        devices={"micro_batch": 4},
        evaluate_every_epochs=2,
    )


def tuned(folder):
    """Fine-tune twice in the same processes, with Muon; the processes' shares differ in length."""
    changes = {"optimizer": "muon", "muon_lr_factor": 5.0, "momentum": 0.95, "lr": 5e-4}
    for name in ("first", "second"):
        finetune(
            folder / name,
            recipe=recipe(**changes, epochs=6, mixup=0.8, normalisation="per_image"),
            test=Images(27, shift=1000),
            devices={"micro_batch": 4},
        )


def nonfinite(folder, **changes):
    """Train until the loss of the first update is not finite."""
    try:
        pretrain(folder, recipe=recipe(repeated_aug=3, **changes), devices={"micro_batch": 4})
    except NonFiniteLoss:
        return
    raise AssertionError("the training did not stop")


def spoilt_in_the_second(folder):
    nonfinite(folder, **({"std": SPOILING} if os.environ["RANK"] == "1" else {}))


def train_dino(folder, **devices):
    pretrain_dino(folder, recipe=dino_recipe(epochs=10), devices=devices)


def shared_dino(folder):
    recipe = dino_recipe(epochs=6, drop_path=0.0, clip_norm=None)
    pretrain_dino(folder, recipe=recipe, devices={"micro_batch": 4})


def forked(work, **environment):
    child = os.fork()
    if child:
        return child
    os.environ.update(environment)
    code = 1
    try:
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def lines(folder):
    path = folder / "metrics.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def killed(folder, *, workers, seed, training):
    """Kill a training at three random moments, each time a little later."""
    rng = random.Random(seed)

    def work():
        training(folder, loader_workers=workers, checkpoint_steps=CHECKPOINT_STEPS)

    for target in (rng.randrange(1, 8), rng.randrange(10, 16), rng.randrange(20, 30)):
        child = forked(work)
        while lines(folder) < target:
            time.sleep(0.0005)
        time.sleep(rng.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert not (folder / "record.json").exists()
    last = forked(work)
    assert os.waitstatus_to_exitcode(os.waitpid(last, 0)[1]) == 0


def ranks(work, folder, *, world, port):
    """Do `work` with `world` processes."""
    children = [
        forked(
            lambda: work(folder),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(world),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
        )
        for rank in range(world)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * world


if __name__ == "__main__":
    what, where, *rest = sys.argv[1:]
    folder = Path(where)
    if what == "all":
        killed(folder / "killed0", workers=0, seed=1, training=train)
        killed(folder / "killed2", workers=2, seed=2, training=train)
        killed(folder / "dino", workers=0, seed=3, training=train_dino)
        ranks(shared, folder / "pair", world=2, port=rest[0])
        ranks(shared_dino, folder / "dinos", world=2, port=rest[0])
        ranks(ranked, folder / "ranked", world=2, port=rest[0])
        ranks(tuned, folder / "tuned", world=2, port=rest[0])
        ranks(spoilt_in_the_second, folder / "nonfinite", world=2, port=rest[1])
    elif what == "compiled":
        ranks(compiled, folder, world=2, port=rest[0])
    else:
        shared(folder)
