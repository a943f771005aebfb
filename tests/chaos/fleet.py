"""The engine processes: started, stopped, killed and watched; one that ends by itself is a difference."""

import os
import signal
import threading
import time

from engine import Accounted
from waiting import wait_until

STOP_SECONDS = 90  # how long a clean stop may take with everything else failing


class Fleet:
    def __init__(self, engine, differences):
        self.engine = engine
        self.differences = differences  # a list of texts
        self.processes = {}  # instance -> Process
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _launch(self, instance):
        self.processes[instance] = self.engine.start("run", changes={"instance": instance})

    def start(self, instance):
        with self._lock:
            self._launch(instance)

    def _take(self, instance):
        """From now on its end is expected."""
        with self._lock:
            return self.processes.pop(instance)

    def stop(self, instance):
        """SIGTERM; anything but a clean leave is a difference."""
        process = self._take(instance)
        process.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while process.running() and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.running():
            self._report(instance, process, f"did not end within {STOP_SECONDS} s of SIGTERM")
            process.signal(signal.SIGABRT)
            process.wait(30)
        elif process.popen.returncode != 0:
            self._report(instance, process, f"ended with {process.popen.returncode} at SIGTERM")
        elif not Accounted.of(process.out()).adds_up():
            self._report(instance, process, "does not account for its events")

    def kill(self, instance):
        self._take(instance).kill()

    def signal(self, instance, number):
        self.processes[instance].signal(number)

    def logs(self, pattern):
        """How many times a text occurs in all logs."""
        with self._lock:
            processes = list(self.processes.values())
        return sum(process.log().count(pattern) for process in processes)

    def cpu_seconds(self):
        """Of those that run now."""
        total = 0.0
        with self._lock:
            processes = list(self.processes.values())
        for process in processes:
            try:
                with open(f"/proc/{process.popen.pid}/stat", encoding="ascii") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def _report(self, instance, process, what):
        self.differences.append(f"engine {instance} {what}:\n{process.tail()}")

    def _watch(self):
        while not self._closing.wait(0.1):
            with self._lock:
                for instance, process in list(self.processes.items()):
                    if not process.running():
                        code = process.popen.returncode
                        self._report(instance, process, f"ended by itself with {code}")
                        self._launch(instance)

    def wait_log_grows(self, pattern, before, seconds):
        """Waits until a text occurs more often than before; whether it did."""
        try:
            wait_until(lambda: self.logs(pattern) > before, seconds)
            return True
        except AssertionError:
            return False

    def stop_all(self):
        for instance in list(self.processes):
            self.stop(instance)

    def close(self):
        self._closing.set()
        self._watcher.join()
        self.engine.close()
