"""Measure Yima against peers in the same run; `make bench` writes build/bench.json."""
