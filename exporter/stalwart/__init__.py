"""The client: the only package that knows Stalwart's wire formats."""
