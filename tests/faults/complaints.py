"""What a run that stopped said: one clear error, or something else."""

import re
from pathlib import Path

ERROR = re.compile(r"^fdsl: (.*)", re.MULTILINE | re.DOTALL)
# Snakemake writes a job's time and memory below results/ itself, when the job has ended well.
UNMEASURED = "OSError: [Errno 28] No space left on device"
NAME = re.compile(r"results/[\w./-]*[\w-]")


def complaints(project, said):
    """Return {rule: message} of the jobs that failed in one run of Snakemake.

    Raises
    ------
    AssertionError
        If a job failed without one message of ours at the end of its log, or with a traceback.
    """
    found = {}
    for rule, log in re.findall(
        r"Error in rule (\w+):.*?^    log: (\S+) ", said, re.MULTILINE | re.DOTALL
    ):
        text = (project.work / log).read_text()
        message = ERROR.search(text)
        if message is None and UNMEASURED in said:
            found[rule] = f"{UNMEASURED}: results/**/benchmarks/{rule}"
            continue
        assert message, f"{rule} failed without a word of ours:\n{text[-2000:]}"
        assert "Traceback" not in text, text[-4000:]
        found[rule] = " ".join(message[1].split())
    return found


def named(project, message):
    """Return the files and folders of the results that a message names, the longest names first."""
    names = sorted(set(NAME.findall(message)), key=len, reverse=True)
    return [project.work / name for name in names if (project.work / name).exists()]


def obey(project, message):
    """Delete what a message says is to be deleted, and return the names."""
    assert "delete" in message.lower(), f"no remedy: {message}"
    deleted = named(project, message)
    assert deleted, f"no file is named: {message}"
    for path in deleted:
        if path.is_dir():
            for inner in sorted(path.rglob("*"), reverse=True):
                inner.rmdir() if inner.is_dir() else inner.unlink()
            path.rmdir()
        else:
            Path(path).unlink(missing_ok=True)
    return [str(path.relative_to(project.work)) for path in deleted]
