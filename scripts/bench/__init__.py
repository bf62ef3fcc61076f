"""Measures the queue: `python -m scripts.bench --help`, or `scripts/bench.sh`, which does its own set-up.

Every figure that has a bar is a ratio of two measurements that took turns in one run, so that it says the same on a
fast machine and on a slow one. Each benchmark is one file with one public function that returns rows; `report.py`
is the only place that shows them.
"""
