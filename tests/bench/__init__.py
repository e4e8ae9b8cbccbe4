"""Benchmarks: each a ratio of two things measured in one run, so that the machine does not matter.

A module here offers ``rows() -> Iterable[tuple[str, float, float]]``: a name, the measured ratio, and its target.
``python -m tests.bench`` runs them all.
"""
