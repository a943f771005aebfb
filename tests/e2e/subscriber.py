"""The Python program of docs/subscribing.md as a process, and the document's other code."""

import json
import os
import re
import signal
import subprocess
import sys

from play import GRANTED, at, consent
from stack import TREE
from waiting import wait_until

DOCUMENT = (TREE / "docs" / "subscribing.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def share(user, day, name="lending", action=GRANTED):
    return consent(user, at(day), action, "SHARE", name)


class Subscriber:
    """The document's Python program, as a process."""

    def __init__(self, stack, topic, directory, bootstrap=None, source=None):
        source = source or blocks("python")[0]
        program = directory / "subscriber.py"
        program.write_text(source)
        self.out, self.err = directory / "subscriber.out", directory / "subscriber.err"
        environment = {
            **os.environ, "KAFKA": bootstrap or stack.bootstrap, "REGISTRY": stack.registry_url,
            "TOPIC": topic,
        }
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.popen = subprocess.Popen(
                [sys.executable, str(program)], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=environment,
            )

    def told(self):
        text = self.out.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait(self, condition, what):
        def seen():
            assert self.popen.poll() is None, self.err.read_text()
            return condition(self.told())

        return wait_until(seen, 60, lambda: f"{what}: {self.told()} {self.err.read_text()}")

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        assert self.popen.wait(30) == 0, self.err.read_text()
