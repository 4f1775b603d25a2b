"""The command line of tests/chaos/run."""

import argparse
import random
import sys
import time

import losses
from kills import run_with_kills, summary

KILLS_HEAD = """\
| killed | times | stored again s, median | max | seen s, median | max |
|---|---|---|---|---|---|"""
LOSSES_HEAD = """\
| Redis | what dies | times | acknowledged | lost | at once | oldest s |
|---|---|---|---|---|---|---|"""


def parse():
    parser = argparse.ArgumentParser(prog="tests/chaos/run")
    parser.add_argument("--events", type=int, default=10_000,
                        help="a fifth of them is sent a second time")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20,
                        help="of each of webhook_server, kyc_server and Redis")
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--minutes", type=float, default=0,
                        help="goes on with further seeds until then")
    parser.add_argument("--losses", action="store_true")
    return parser.parse_args()


def say(line):
    print(line, flush=True)


def run_kills(args):
    began = time.monotonic()
    all_kills, all_wrong, seed = [], [], args.seed
    while True:
        say(f"seed {seed}")
        wrong, figures, done = run_with_kills(
            seed, args.users, args.events, args.kills, say=say
        )
        for name, value in figures.items():
            say(f"  {name}: {value}")
        for line in wrong[:20]:
            say(f"  WRONG {line}")
        all_kills += done
        all_wrong += wrong
        seed += 1
        if wrong or time.monotonic() - began > 60 * args.minutes:
            break
    say(KILLS_HEAD)
    for line in summary(all_kills):
        say(line)
    say(f"{len(all_wrong)} wrong")
    return not all_wrong


def run_losses(args):
    say(f"seed {args.seed}")
    say(LOSSES_HEAD)
    good = True
    for setting, machine in losses.DEATHS:
        found = losses.measure(setting, machine, args.kills, args.seed)
        dies = "the machine" if machine else "the process"
        say(f"| {setting} | {dies} | {found.kills} | {found.acknowledged:,} | "
            f"{found.lost:,} | {found.worst:,} | {found.oldest:.1f} |")
        good = good and (found.lost == 0 or "always" not in setting)
    return good


def main():
    args = parse()
    good = run_losses(args) if args.losses else run_kills(args)
    sys.exit(0 if good else 1)


main()
