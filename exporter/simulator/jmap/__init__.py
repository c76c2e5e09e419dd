"""JMAP management of v0.16 and newer."""
