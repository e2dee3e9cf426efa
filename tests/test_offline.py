"""Nothing but a fetch asks for the network.

`tests/conftest.py` refuses it to every test and to what every test starts; here stand the checks
that this is so, and runs that have no network at all, which also binds what is not Python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from offline import sitecustomize

from fdsl.cli import OFFLINE

TESTS = Path(__file__).parent
UNSHARE = shutil.which("unshare")


def run(*command, log, **environment):
    """Run a command with a log of its own for what asks for the network; return the process and the
    log's text.
    """
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | {sitecustomize.LOG: str(log), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, log.read_text(encoding="utf-8") if log.exists() else ""


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1/x', timeout=1)",
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        (
            "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket;"
            ' socket.getaddrinfo("example.org", 80)\'], check=True)'
        ),
    ],
)
def test_the_guard_sees_what_it_must_see(code, tmp_path):
    done, asked = run(sys.executable, "-c", code, log=tmp_path / "log")
    assert done.returncode != 0
    assert "192.0.2.1" in asked or "example.org" in asked


def test_the_guard_lets_one_machine_talk_to_itself(tmp_path):
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname()); socket.getaddrinfo('localhost', 80)"
    )
    done, asked = run(sys.executable, "-c", code, log=tmp_path / "log")
    assert (done.returncode, asked) == (0, "")


@pytest.mark.parametrize("verb", [["data", "fetch", "cifar10"]])
def test_a_fetch_is_what_asks(verb, tmp_path):
    done, asked = run(
        sys.executable, "-m", "fdsl", *verb, "--data-root", tmp_path / "data", log=tmp_path / "log"
    )
    assert done.returncode == 2
    assert "could not be downloaded" in done.stderr
    assert "cs.toronto.edu" in asked
    assert not list((tmp_path / "data").iterdir())


def test_the_libraries_are_told_to_stay_offline(tmp_path):
    code = (
        "from typer.testing import CliRunner; from fdsl.cli import app; CliRunner().invoke(app,"
        " ['list']); from huggingface_hub import constants as c; assert c.HF_HUB_OFFLINE and"
        " c.HF_HUB_DISABLE_TELEMETRY"
    )
    kept = {name: value for name, value in os.environ.items() if name not in OFFLINE}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def without_network():
    """Say whether this machine lets a process give up its network."""
    if UNSHARE is None:
        return False
    return subprocess.run([UNSHARE, "-n", "true"], capture_output=True, check=False).returncode == 0


TRAINING = """
import sys
from pathlib import Path
from train.tiny_training import dino_recipe, finetune, pretrain, pretrain_dino, recipe
folder = Path(sys.argv[1])
pretrain(folder / "a", recipe=recipe(epochs=1))
pretrain_dino(folder / "b", recipe=dino_recipe(epochs=1))
weights = folder / "a/model.safetensors"
finetune(folder / "c", recipe=recipe(epochs=1), pretraining="stripes", weights=weights)
"""


@pytest.mark.skipif(not without_network(), reason="unshare -n is not allowed here")
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "fdsl", "list"],
        ["-m", "fdsl", "recipe", "pretrain_laptop"],
        ["-m", "fdsl", "show", "rcdb1k", "--set", "image_size_px=32", "--out", "grid.png"],
        [
            "-m",
            "fdsl",
            "render",
            "fractaldb1k",
            "--out",
            "images",
            "--workers",
            "1",
            "--set",
            "classes=2",
            "--set",
            "instances=3",
            "--set",
            "image_size_px=32",
            "--set",
            "points=300",
            "--format",
            "parquet",
        ],
        ["-m", "fdsl", "data", "check", "digits"],
        ["-c", TRAINING, "."],
    ],
    ids=["list", "recipe", "show", "render", "check", "training"],
)
def test_everything_else_works_where_there_is_no_network(command, tmp_path):
    packages = os.pathsep.join([str(TESTS / "offline"), str(TESTS.parent), str(TESTS)])
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [UNSHARE, "-n", sys.executable, *command],
        cwd=work,
        env=os.environ | {"PYTHONPATH": packages, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
