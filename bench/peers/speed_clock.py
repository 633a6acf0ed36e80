"""How every script measured against Plumb times itself and tells it."""

import statistics
import sys
import time


def told(seconds, formats):
    """The figure, as bench/versus.c reads it."""
    print("formats", formats)
    print(f"seconds {statistics.median(seconds):.6f}")
    sys.stdout.flush()


def timed(step, runs, warm=1):
    """Seconds of each run of step() after `warm` that do not count."""
    seconds = []
    for i in range(warm + runs):
        begin = time.perf_counter()
        step()
        if i >= warm:
            seconds.append(time.perf_counter() - begin)
    return seconds
