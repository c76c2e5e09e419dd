"""Connections to hosts that DNS names: policy hosts over HTTPS and mail hosts over SMTP."""
