#!/usr/bin/env python3
"""`gemel mount` from outside. usage: run.py [CASE...]"""
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases_cost  # noqa: E402
import cases_crash  # noqa: E402
import cases_fsck  # noqa: E402
import cases_kernel  # noqa: E402
import cases_live  # noqa: E402
import cases_mount  # noqa: E402
import cases_open  # noqa: E402
import cases_read  # noqa: E402
import cases_stream  # noqa: E402
import cases_trim  # noqa: E402
import cases_write  # noqa: E402
from mounts import Failure, Place  # noqa: E402

CASES = (cases_read.CASES + cases_write.CASES + cases_mount.CASES + cases_crash.CASES + cases_live.CASES
         + cases_fsck.CASES + cases_cost.CASES + cases_trim.CASES + cases_open.CASES + cases_kernel.CASES
         + cases_stream.CASES)


def why_not():
    """Why nothing can be mounted here, or None."""
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse: {error.strerror}"
    return None


def run(case):
    place = Place()
    try:
        return case(place), None
    except Failure as failure:
        return None, str(failure)
    except Exception:  # what a case did not foresee is a failure with its trace
        return None, traceback.format_exc()
    finally:
        place.end()


def main():
    names = sys.argv[1:]
    unknown = set(names) - {case.__name__ for case in CASES}
    if unknown:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}; there are: {', '.join(case.__name__ for case in CASES)}")
    chosen = [case for case in CASES if not names or case.__name__ in names]
    missing = why_not()
    passed = failed = skipped = 0
    for case in chosen:
        skip, failure = (missing, None) if missing else run(case)
        if failure:
            failed += 1
            print(f"FAILED  {case.__name__}: {failure}")
        elif skip:
            skipped += 1
            print(f"skipped: {case.__name__}: {skip}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 2 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
