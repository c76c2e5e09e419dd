"""What is known of each server right now: immutable snapshots with a freshness, and tallies that only go up."""
