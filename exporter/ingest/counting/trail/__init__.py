"""The trail as it is recorded: sessions joined, events turned into rows, rows written with the tallies."""
