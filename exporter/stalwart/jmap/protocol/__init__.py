"""JMAP itself: session, method calls and their results, paging."""
