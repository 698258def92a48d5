"""Sums JUnit files: usage tally.py FOLDER [FAILED_TIER…]; the last line is "N passed, N failed".

A tier that failed without a failed test in its file (a crash, a time-out, clang-tidy) counts as one failure.
"""

import sys
import xml.etree.ElementTree as xml
from pathlib import Path


def main(folder, failed_tiers) -> int:
    passed = failed = 0
    for file in sorted(Path(folder).glob("*.xml")):
        good = bad = skipped = 0
        try:
            cases = list(xml.parse(file).iter("testcase"))
        except xml.ParseError:
            continue  # half a file: its tier is among the failed
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                bad += 1
                print(f"FAILED {file.stem}: {case.get('classname')} {case.get('name')}")
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                good += 1
        print(f"{file.stem}: {good} passed, {bad} failed, {skipped} skipped")
        passed, failed = passed + good, failed + bad
        if bad and file.stem in failed_tiers:
            failed_tiers.remove(file.stem)
    for tier in failed_tiers:
        print(f"FAILED {tier}")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
