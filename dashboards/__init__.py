"""Grafana dashboards, written in code."""
