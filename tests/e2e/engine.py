"""The sesame binary, run as its users run it."""

import json
import os
import pathlib
import re
import signal
import subprocess

from stack import TREE
from waiting import wait_until

BUILD = pathlib.Path(os.environ.get("SESAME_BUILD", TREE / "build"))
BINARY = BUILD / "cli" / "sesame"

ACCOUNTED = re.compile(
    r"^accounted: consumed (\d+) = counted (\d+) \+ duplicate (\d+)"
    r" \+ not-consented (\d+) \+ dead-lettered (\d+)$",
    re.MULTILINE,
)


def yaml(tree, indent=0):
    """A nested dict of scalars and lists of scalars as YAML."""
    lines = []
    for key, value in tree.items():
        pad = "  " * indent
        if isinstance(value, dict):
            lines += [f"{pad}{key}:", yaml(value, indent + 1)] if value else []
        elif isinstance(value, list):
            lines.append(f"{pad}{key}: [{', '.join(json.dumps(item) for item in value)}]")
        else:
            lines.append(f"{pad}{key}: {json.dumps(value)}")
    return "\n".join(lines)


def merge(base, changes):
    """A copy of base with the nested changes laid over it."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if nested else value
    return merged


class Accounted(dict):
    """The counts of the last "accounted:" line: consumed, counted, duplicate, …"""

    @classmethod
    def of(cls, text):
        found = ACCOUNTED.findall(text)
        assert found, f"no 'accounted:' line in:\n{text[-3000:]}"
        names = ("consumed", "counted", "duplicate", "not_consented", "dead_lettered")
        return cls(zip(names, map(int, found[-1])))

    def adds_up(self):
        return self["consumed"] == sum(self.values()) - self["consumed"]


class Process:
    """A sesame that runs in the background; its output goes to files."""

    def __init__(self, arguments, directory, name):
        self.out_path = directory / f"{name}.out"
        self.err_path = directory / f"{name}.err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                [str(BINARY), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def out(self):
        return self.out_path.read_text(errors="replace")

    def log(self):
        return self.err_path.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def wait_log(self, pattern, seconds=60):
        """Waits for a line of output or log that matches."""

        def seen():
            found = re.search(pattern, self.log() + self.out())
            assert found or self.running(), f"sesame ended:\n{self.tail()}"
            return found

        return wait_until(seen, seconds, lambda: f"/{pattern}/ in the log:\n{self.tail()}")

    def tail(self):
        return (self.log() + self.out())[-4000:]

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self, seconds=30):
        """SIGTERM; returns the exit code, which is 0 after a clean leave."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds=60):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"sesame did not end in {seconds} s:\n{self.tail()}") from None

    def kill(self):
        if self.running():
            self.signal(signal.SIGKILL)
        self.popen.wait()


class Engine:
    """Runs sesame with generated configs, all under one directory."""

    def __init__(self, config, directory):
        self.config = config
        self.directory = pathlib.Path(directory)
        self._processes = []
        self._configs = 0

    def config_file(self, changes=None):
        """Writes the config, with nested changes, and returns its path."""
        self._configs += 1
        path = self.directory / f"sesame-{self._configs}.yaml"
        path.write_text(yaml(merge(self.config, changes or {})) + "\n")
        return path

    def run(self, *command, changes=None, check=True, seconds=120):
        """Runs `sesame COMMAND... -F config` to its end: run("topics", "create")."""
        arguments = [str(BINARY), *self._with_config(command, changes)]
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=seconds, check=False,
        )
        if check:
            text = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
            assert done.returncode == 0, f"sesame {command} exited {done.returncode}:\n{text}"
        return done

    def start(self, *command, changes=None):
        """Starts `sesame COMMAND... -F config` in the background: start("run")."""
        name = f"sesame-process-{len(self._processes) + 1}"
        process = Process(self._with_config(command, changes), self.directory, name)
        self._processes.append(process)
        return process

    def drain(self, *more, changes=None, seconds=300):
        """`sesame run --until-caught-up`; returns its counts, checked to add up."""
        done = self.run("run", "--until-caught-up", *more, changes=changes, seconds=seconds)
        counts = Accounted.of(done.stdout + done.stderr)
        assert counts.adds_up(), counts
        return counts

    def _with_config(self, command, changes):
        # The file goes behind the words of the subcommand, in front of its options.
        words = [word for word in command if not word.startswith("-")]
        count = next((i for i, w in enumerate(command) if w.startswith("-")), len(words))
        file = str(self.config_file(changes))
        return [*command[:count], "-F", file, *command[count:]]

    def close(self):
        for process in self._processes:
            process.kill()
