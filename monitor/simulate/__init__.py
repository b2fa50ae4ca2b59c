"""Seeded fleets whose truth is known: what the demo plays, and what the tests and the benchmarks are held against.

`scenarios.simulate(name)` gives a `Simulation`: canonical events as JSON Lines, in the order of their times, and the
truth about them. Which fleets there are is in `scenarios`, how tenants behave in `ordinary` and `training`, the control
plane that they share in `fleet`, and what a transport does to its events in `faults`. What tries the stitching of runs
is made of `launches`: `published` runs, invented ones in `stitching`, and `lookalikes` that are no runs.
"""
