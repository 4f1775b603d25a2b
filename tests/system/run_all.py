"""Runs the tests with real processes, those of conformance and chaos too, and
writes "PASSED FAILED" to --result.

usage: run_all.py [--result FILE] [name …]   e.g. run_all.py test_walk
"""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
OTHERS = [os.path.join(HERE, "..", name) for name in ("conformance", "chaos")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--result")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    sys.path[:0] = [HERE, *OTHERS]
    loader = unittest.TestLoader()
    if args.names:
        suite = loader.loadTestsFromNames(args.names)
    else:
        suite = loader.discover(HERE, "test_*.py")
        for folder in OTHERS:
            suite.addTests(unittest.TestLoader().discover(folder, "test_*.py"))
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    bad = len(result.failures) + len(result.errors)
    if args.result:
        os.makedirs(os.path.dirname(args.result) or ".", exist_ok=True)
        with open(args.result, "w", encoding="utf-8") as file:
            file.write(f"{result.testsRun - bad} {bad}\n")
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)


main()
