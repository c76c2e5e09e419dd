"""Accounts beside a running exporter."""
