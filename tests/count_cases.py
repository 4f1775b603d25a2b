"""Counts the cases in Bazel's test reports.

usage: count_cases.py TESTLOGS "//a:b //c:d …"   prints "PASSED FAILED"

A test without a report (it crashed or did not build) is one failed case; one
whose report was not written since the tag filters left it out is no case.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def main():
    testlogs, labels = sys.argv[1], sys.argv[2].split()
    passed = failed = 0
    for label in labels:
        package, name = label[2:].split(":")
        report = os.path.join(testlogs, package, name, "test.xml")
        if not os.path.exists(report):
            continue
        try:
            cases = list(ElementTree.parse(report).getroot().iter("testcase"))
        except ElementTree.ParseError:
            failed += 1
            continue
        bad = sum(
            1
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        )
        failed += bad
        passed += len(cases) - bad
    print(passed, failed)


main()
