import pytest

from fdsl.workflow.launch import ProcessGrid, launcher


def test_one_process_needs_no_launcher():
    assert launcher(ProcessGrid(1, 1)) == "exec python -m fdsl"


def test_torchrun_starts_more_on_one_node():
    words = launcher(ProcessGrid(1, 4)).split()
    assert words[:3] == ["exec", "env", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=600"]
    assert words[3:6] == ["python", "-m", "torch.distributed.run"]
    assert words[6:] == ["--standalone", "--nproc-per-node", "4", "-m", "fdsl"]


def test_srun_starts_them_on_several_nodes():
    words = launcher(ProcessGrid(2, 4), threads=16, gpus=True).split()
    assert words[:4] == ["exec", "env", "LOCAL_WORLD_SIZE=4", "srun"]
    assert words[-3:] == ["python", "-m", "fdsl"]
    shape = {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=4", "--gres=gpu:4"}
    assert shape | {"--kill-on-bad-exit=1"} == set(words[4:-3])
    assert "--gres" not in launcher(ProcessGrid(2, 4), threads=16)


def test_every_process_has_a_thread():
    assert "--cpus-per-task=1 " in launcher(ProcessGrid(2, 4), threads=2)


@pytest.mark.parametrize("processes", [0, -1, 1025])
def test_other_numbers_are_refused(processes):
    with pytest.raises(ValueError, match=f"processes = {processes} is out of range: use 1 to 1024"):
        ProcessGrid(1, processes)


def test_nodes_are_bounded():
    with pytest.raises(ValueError, match="nodes = 1000 is out of range: use 1 to 999"):
        ProcessGrid(1000, 1)


def test_a_grid_is_written_as_nodes_x_processes():
    assert ProcessGrid.read("4x8") == ProcessGrid(4, 8)


@pytest.mark.parametrize(
    "text", ["", "8", "4x", "x8", "0x8", "4x0", "4x8x2", "4 x 8", "4x8; rm -rf ."]
)
def test_other_words_are_not_a_grid(text):
    with pytest.raises(ValueError, match="is not nodes x processes on each, for example 4x8"):
        ProcessGrid.read(text)
