from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import pytest

from fdsl import raster
from fdsl.raster import first_use
from fdsl.raster.first_use import compile_apart

LOADED = """
from functools import partial
from pathlib import Path
from fdsl.raster.first_use import compile_apart

def main():
    compile_apart("points", partial(__import__, "fdsl.raster.points"))
    from fdsl.raster import points
    stats = points.draw_points.stats
    print(len(stats.cache_hits), len(stats.cache_misses))

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_kernels_are_loaded_after_another_process_compiled_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(LOADED)
    run = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ
        | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["1", "0"]


def test_only_the_first_to_draw_something_asks_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(first_use, "CACHE_FOLDER", tmp_path)
    drawn = tmp_path / "drawn"
    compile_apart("one", partial(os.mkdir, drawn))
    assert drawn.is_dir()
    drawn.rmdir()
    compile_apart("one", partial(os.mkdir, drawn))
    assert not drawn.exists()
    compile_apart("other", partial(os.mkdir, drawn))
    assert drawn.is_dir()


def test_a_drawing_that_fails_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(first_use, "CACHE_FOLDER", tmp_path)
    compile_apart("one", partial(os.rmdir, tmp_path / "missing"))
    compile_apart("one", partial(os.mkdir, tmp_path / "drawn"))
    assert (tmp_path / "drawn").is_dir()
    assert tmp_path != raster.CACHE_FOLDER
