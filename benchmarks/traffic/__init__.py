"""What the benchmarks feed to both sides."""
