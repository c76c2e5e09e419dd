"""Stalwart v0.16 and newer: management objects over JMAP."""
