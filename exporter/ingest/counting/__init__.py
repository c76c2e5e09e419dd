"""Arithmetic that counts everything exactly once: ledger, totals, deduplication, and reconciliation of sources."""
