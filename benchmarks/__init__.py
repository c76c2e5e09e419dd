"""Benchmarks: each compares with a peer or a stated limit in the same run and prints ratios."""
