"""What processes cost, as /proc tells."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process and the children it has now."""
    total = 0.0
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total = (int(fields[11]) + int(fields[12])) / TICK
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            for child in file.read().split():
                total += cpu_seconds(int(child))
    except FileNotFoundError:
        pass
    return total


def memory_mib(pid, field):
    """VmRSS (now) or VmHWM (the most so far)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def reset_peak(pid):
    """The peak of memory counts from now on."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


class CpuMeter:
    """The CPU that each of some processes uses from here on."""

    def __init__(self, pids):
        self.pids = dict(pids)
        self.before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def micros_per(self, requests):
        return {
            name: (cpu_seconds(pid) - self.before[name]) * 1e6 / requests
            for name, pid in self.pids.items()
        }
