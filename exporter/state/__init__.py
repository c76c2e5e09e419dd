"""The current state of each server: immutable snapshots with a freshness limit, and tallies that only go up."""
