"""A copy of the workflow in a folder of its own, a way to run Snakemake there, and a laptop scale
of seconds.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
REAL = ("supervised", "shuffled", "dino")


@dataclass(frozen=True)
class Project:
    """A checkout (Snakefile, config.yaml, workflow, fdsl) and a working directory beside it."""

    root: Path
    work: Path

    def snakemake(self, *arguments, targets=(), snakefile=None):
        """Run Snakemake and return the finished process; output is captured as text."""
        return self.run(*self.command(*arguments, targets=targets, snakefile=snakefile))

    def command(self, *arguments, targets=(), snakefile=None):
        """Return the command line of Snakemake, for the project's Snakefile or another one."""
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            snakefile or self.root / "Snakefile",
            "--directory",
            self.work,
            *arguments,
            *(["--", *targets] if targets else []),
        ]
        return [str(part) for part in command]

    def elsewhere(self, folder):
        """Return the same checkout with another working directory, made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, work=folder)

    def run(self, *command, folder=None):
        """Run a command in the checkout, or in another folder, and return the finished process."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        packages = (
            f"{ROOT / 'tests' / 'offline'}{os.pathsep}{self.root}"  # no job reaches the network
        )
        return {**os.environ, "PYTHONPATH": packages, "PATH": path, "OMP_NUM_THREADS": "1"}

    def edit(self, file, change):
        """Change a YAML file of the project through a function of its content."""
        path = self.root / file
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def replace(self, file, old, new):
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} no longer holds {old!r}"
        path.write_text(text.replace(old, new))


def checkout(folder):
    """Return a copy of the project as it is, without results, in an empty folder."""
    root = folder / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ["workflow", "fdsl"]:
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in ["Snakefile", "config.yaml"]:
        shutil.copy(ROOT / name, root / name)
    (folder / "work").mkdir()
    return Project(root, folder / "work")


def copy(project, folder):
    """Return a copy of a project with its results in another folder."""
    for name in [project.root, project.work]:
        shutil.copytree(name, folder / name.name, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(folder / project.root.name, folder / project.work.name)


def shrink(project, *, epochs=2):
    """Leave a scale of seconds: scratch against FractalDB on Digits, two replicates; `epochs` of
    pre-training with four updates each.
    """

    def shrink_scale(scale):
        scale["seeds"] = [0, 1]
        skipped = ["rcdb1k", "exfractaldb1k", *(f"imagenet1k_{kind}" for kind in REAL)]
        scale["skip"] |= dict.fromkeys(skipped, "not part of the tiny scale")
        scale["stand_ins"] = {"default": [{"label": "Digits", "dataset": "digits"}]}
        reduced = scale["datasets"]["fractaldb1k"]
        reduced.update(classes=4, instances=8)
        reduced["settings"]["points"] = 500
        short = {"epochs": epochs, "global_batch": 8, "warmup_epochs": 0.5}
        scale["pretrain"] = [{"recipe": "pretrain_laptop", "override": short}]
        scale["finetune"]["digits"].update(train_labels=20, test_images=50, resplit=False)
        scale["finetune"]["digits"]["override"].update(epochs=2, warmup_epochs=0.5, global_batch=8)

    project.edit("workflow/scales/laptop.yaml", shrink_scale)
    return project
