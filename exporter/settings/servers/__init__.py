"""The settings of one watched server."""
