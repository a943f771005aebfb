"""The machine that is measured on, and what its processes cost."""

import os
import pathlib
import platform
import re
import subprocess
import time


def cpu_seconds(pid):
    """User and system time of a running process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory_mib(pid):
    """The largest resident size so far; 0 once it has ended."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found.group(1)) / 1024 if found else 0


def wait_quiet(pid, share=0.2, seconds=20):
    """Waits until a process uses less than a share of a core: what it did before is not to be
    charged to what comes next. Not longer than some seconds: a busy machine never gets quiet."""
    deadline = time.monotonic() + seconds
    used, at = cpu_seconds(pid), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        last, last_at = used, at
        used, at = cpu_seconds(pid), time.monotonic()
        if (used - last) / (at - last_at) < share:
            return


def text_of(*command, cwd=None):
    """What a command prints; empty where it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except OSError:
        return ""
    return done.stdout.strip()


def found_in(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def describe_machine(tree, build, arguments):
    jars = text_of("bash", "-c", 'source tools/lib.sh; ls "$(servers_dir)/kafka"', cwd=tree)
    changed = "+" if text_of("git", "status", "--porcelain", cwd=tree) else ""
    return {
        "commit": text_of("git", "rev-parse", "--short=12", "HEAD", cwd=tree) + changed,
        "build": found_in(r"^CMAKE_BUILD_TYPE:\w+=(.*)", (build / "CMakeCache.txt").read_text()),
        "processor": found_in(r"^model name\s*:(.*)", pathlib.Path("/proc/cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "librdkafka": found_in("(.+)", text_of("pkg-config", "--modversion", "rdkafka")),
        "redis": found_in(r"v=(\S+)", text_of("redis-server", "--version")),
        "kafka": found_in(r"^kafka_2\.13-(.*)\.jar$", jars),
        "arguments": " ".join(arguments),
    }
