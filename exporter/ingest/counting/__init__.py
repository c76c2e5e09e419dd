"""What counts everything once: ledger, totals, windows of what was seen, and reconciliation of streams with storage."""
