"""What requests cost; see tests/bench/run.

CPU is user + system time of each process over the measured seconds, from
/proc, divided by the requests answered. Targets are measured in turn, round
after round and over several starts of their processes, and medians are
printed: the machine's speed drifts, so only figures of one run compare.
"""

import argparse
import os
import platform
import resource
import sys
import traceback

from report import Report
from scenarios import SCENARIOS, say
from targets import Peers, Service


class Bench:
    """What a run was asked for, and what its scenarios share."""

    def __init__(self, args):
        self.quick = args.quick
        self.rounds = args.rounds or (1 if args.quick else 2)
        self.starts = args.starts or (1 if args.quick else 2)
        self.seconds = args.seconds or (1 if args.quick else 4)
        self.warm_up = 3 if args.quick else 10
        self.directory = os.path.abspath(os.path.join("run", "bench"))
        os.makedirs(self.directory, exist_ok=True)
        self.report = Report()
        self._status_service = None

    def new_service(self):
        return Service(self.directory, 1000 if self.quick else 10000)

    def new_peers(self):
        root = os.environ.get("KYC_PEERS")
        return Peers(root, self.directory) if root else None

    def status_service(self):
        """A service with users of every state, kept from one to the next."""
        return self._status_service or self.new_status_service()

    def new_status_service(self):
        self.drop_status_service()
        self._status_service = self.new_service()
        self._status_service.make_users()
        return self._status_service

    def drop_status_service(self):
        if self._status_service:
            self._status_service.stop()
        self._status_service = None


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file
                      if line.startswith("model name")), "")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--starts", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    args = parser.parse_args()
    wanted = args.scenarios.split(",")
    unknown = set(wanted) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; "
                     f"there are {', '.join(SCENARIOS)}")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    bench = Bench(args)
    failed = []
    try:
        for name in SCENARIOS:
            if name not in wanted:
                continue
            say(name)
            try:
                SCENARIOS[name](bench)
            except Exception:
                # What the others measured is worth its time.
                traceback.print_exc()
                failed.append(name)
                bench.drop_status_service()
    finally:
        bench.drop_status_service()
    print(f"\n{machine()}; medians of {bench.starts} starts × {bench.rounds} "
          f"rounds × {bench.seconds} s\n")
    if bench.report.rows:
        print(bench.report.table())
    ratios = bench.report.ratios()
    if ratios:
        print("\nThe peers' figures divided by this service's, within each "
              "round:\n\n" + ratios)
    for note in bench.report.notes:
        print("\n- " + note, end="")
    print()
    if failed:
        sys.exit("failed: " + ", ".join(failed))


main()
