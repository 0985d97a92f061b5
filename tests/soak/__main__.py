"""Run bpftop for some minutes, and show whether its memory grows: ``python -m tests.soak [MINUTES]``."""

from __future__ import annotations

import sys

from tests.soak.programs import LIMIT, Course, soak


def main(minutes: float) -> int:
    """Return 1 if the memory of a program grows."""
    courses = soak(minutes, lambda words: print(words, flush=True))
    for course in courses:
        print(_line(course, minutes))
    return int(any(course.ratio > LIMIT for course in courses))


def _line(course: Course, minutes: float) -> str:
    thirds = ", ".join(f"{course.third(number):.2f}" for number in range(3))
    verdict = "flat" if course.ratio <= LIMIT else "GROWS"
    return (
        f"{course.name}: {thirds} MiB in the thirds of {minutes:g} minutes; the last is {course.ratio:.4f} of the "
        f"second, limit {LIMIT}: {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30))
