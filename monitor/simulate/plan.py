"""Who is in the simulated year of a cloud: every number with its reason, fixed before the first run of the measurement.

Fixed on 2026-11-26. Nothing here was changed after the seeds of `bench/detection` were played. Where nothing is
published on what clouds see, the reason says that a number is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How many there are of each, and how large; numbers of tenants unless a comment says otherwise."""

    # A provider of two thousand customers: five seeds make the ten thousand tenant-years that are asked for.
    tenants: int = 2_000
    # Asked for: at least 40 above 1,000 accelerators. Half of them train, the others serve: size alone is no training.
    large: int = 44
    # Companies headquartered in countries of group D:5, documented: one customer in fifty. Assumed; few rent abroad.
    of_concern: int = 40
    # Universities with so many groups each, declared as one organisation: a mid-sized research cloud. Assumed.
    universities: int = 6
    groups: int = 12
    # Resellers whose end customers are documented and verified, and those that claim theirs. Assumed: half of each.
    attested_resellers: int = 2
    unattested_resellers: int = 2
    customers: int = 15  # of each reseller
    # Services whose size follows the hour of the day: the other large use of accelerators beside training. Assumed.
    services: int = 60
    # Each kind of evader once in a seed: five of each in the measurement, with other sizes and days.
    programmes: int = 1


YEAR = Plan()
TINY = Plan(90, 3, 4, 1, 4, 1, 1, 3, 4)  # for tests: everybody is there once

DAYS = 365
# Sizes of ordinary customers in accelerators: log-normal, median 3. A few cards are the usual order; the sigma puts a
# fifth above 12 and one in thirty above 64. In traces of Philly, Helios and Kalos most jobs are of one to eight.
SIZE_MEDIAN, SIZE_SIGMA, SIZE_MAX = 3.0, 1.7, 512
# Sizes of the large: Pareto, so that the largest hold most. The exponent is that of firm sizes, a little above 1.
LARGE_MIN, LARGE_SHAPE, LARGE_MAX = 1_150, 1.2, 20_000
# Per cent of ordinary customers whose headquarters are only claimed, by size in accelerators (up to, share): who orders
# more is asked for papers, as providers do at onboarding by spend. Assumed.
UNDOCUMENTED = ((8, 35), (64, 8), (SIZE_MAX + 1, 1))
# Per cent of ordinary customers by how they use what they rent: steadily, by projects of weeks, in queues of small
# jobs. Assumed; the three patterns are those of the traces.
STEADY, PROJECTS = 45, 35  # the rest has queues
# Days on which ordinary customers come: seven in ten before the year begins, the others evenly over nine months.
THERE_BEFORE_PERCENT, COMING_DAYS = 70, 270
# Days that something steady is held, and a project lasts, in the median. The sigma of both logarithms is 0.6.
STEADY_DAYS, PROJECT_DAYS, DAYS_SIGMA = 50.0, 10.0, 0.6
# Training runs of the large that train: two or three in the year, of 20 to 80 days, on six tenths of what they hold.
# Published runs last 4 to 178 days (config/durations.yaml).
RUNS, RUN_DAYS, RUN_SHARE = (2, 3), (20, 80), 0.6
# Realised share of the dense 16-bit peak of what is trained: the middle of the published record (0.11 to 0.48).
UTILISATION_PPM = (200_000, 330_000)
# Programmes begin in these days, so that a year sees the whole of them, and go on to so much of their threshold.
BEGIN_DAYS, BEYOND_PERCENT = (10, 100), 130
ATTEMPT_DAYS = 6  # mean time between two restarts: OPT-175B had one in 15 hours, others one in weeks
