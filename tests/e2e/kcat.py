"""kcat, as a subscriber runs it."""

import subprocess


def kcat(stack, *arguments):
    done = subprocess.run(
        ["kcat", "-b", stack.bootstrap, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kcat_reads_avro():
    """Debian 12's kcat is built without."""
    shown = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=False)
    return "Avro" in shown.stdout + shown.stderr
