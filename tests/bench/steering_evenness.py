#!/usr/bin/env python3
"""How evenly source ports are spread over workers, by src/sys/steering.cpp's rule and by lot.

    tests/bench/steering_evenness.py

For each way in which a client's ports follow each other: the mean of chi squared over its degrees of freedom, for 16 and
64 connections (1 is a lot, 0 is perfectly even). Linux chooses steps of 2 to 16 (net/ipv4/inet_hashtables.c).
"""

import random
import re
from pathlib import Path

STEERING = Path(__file__).resolve().parents[2] / "src" / "sys" / "steering.cpp"
FACTOR = int(re.search(r"kFactor = (\d+)", STEERING.read_text())[1])
RUNS = 300


def by_rule(port, workers):
    return (port * FACTOR % 2**32 >> 16) * workers >> 16


def by_lot(_, workers):
    return random.randrange(workers)


def ports(kind, number):
    port = random.randrange(32768, 50000)
    for _ in range(number):
        yield port
        if kind == "random":
            port = random.randrange(32768, 61000)
        else:
            port += random.randrange(2, 17, 2) if kind == "2 to 16" else int(kind)


def unevenness(rule, kind, workers, number):
    counts = [0] * workers
    for port in ports(kind, number):
        counts[rule(port, workers)] += 1
    expected = number / workers
    return sum((count - expected) ** 2 / expected for count in counts) / (workers - 1)


def main():
    random.seed(1)
    kinds = ["1", "2", "4", "8", "16", "2 to 16", "random"]
    print("workers  rule  " + "  ".join(f"{kind:>7}" for kind in kinds))
    for workers in (2, 3, 4, 6, 8, 16):
        for name, rule in (("ours", by_rule), ("lot", by_lot)):
            means = [sum(unevenness(rule, kind, workers, number) for _ in range(RUNS) for number in (16, 64)) / RUNS / 2
                     for kind in kinds]  # fmt: skip
            print(f"{workers:7}  {name:4}  " + "  ".join(f"{mean:7.2f}" for mean in means))


if __name__ == "__main__":
    main()
