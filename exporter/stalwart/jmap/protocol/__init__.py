"""JMAP itself: the session, method calls and their results, and pages of a query."""
