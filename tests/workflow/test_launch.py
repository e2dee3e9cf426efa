import pytest

from fdsl.workflow.launch import Spread, launcher


def test_one_process_needs_no_launcher():
    assert launcher(Spread(1, 1)) == "exec python -m fdsl"


def test_torchrun_starts_more_on_one_host():
    words = launcher(Spread(1, 4)).split()
    assert words[:3] == ["exec", "env", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT=600"]
    assert words[3:6] == ["python", "-m", "torch.distributed.run"]
    assert words[6:] == ["--standalone", "--nproc-per-node", "4", "-m", "fdsl"]


def test_srun_starts_them_on_many_hosts():
    words = launcher(Spread(2, 4), threads=16, gpus=True).split()
    assert words[:4] == ["exec", "env", "LOCAL_WORLD_SIZE=4", "srun"]
    assert words[-3:] == ["python", "-m", "fdsl"]
    shape = {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=4", "--gres=gpu:4"}
    assert shape | {"--kill-on-bad-exit=1"} == set(words[4:-3])
    assert "--gres" not in launcher(Spread(2, 4), threads=16)


def test_every_process_has_a_thread():
    assert "--cpus-per-task=1 " in launcher(Spread(2, 4), threads=2)


@pytest.mark.parametrize("processes", [0, -1, 1025])
def test_other_numbers_are_refused(processes):
    with pytest.raises(ValueError, match=f"processes = {processes} is out of range: use 1 to 1024"):
        Spread(1, processes)


def test_hosts_are_bounded():
    with pytest.raises(ValueError, match="hosts = 1000 is out of range: use 1 to 999"):
        Spread(1000, 1)


def test_a_spread_is_written_as_hosts_x_processes():
    assert Spread.read("4x8") == Spread(4, 8)


@pytest.mark.parametrize(
    "text", ["", "8", "4x", "x8", "0x8", "4x0", "4x8x2", "4 x 8", "4x8; rm -rf ."]
)
def test_other_words_are_not_a_spread(text):
    with pytest.raises(ValueError, match="is not hosts x processes on each, for example 4x8"):
        Spread.read(text)
