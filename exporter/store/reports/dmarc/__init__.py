"""DMARC results of a domain: summaries, sources, and what a stricter policy would do."""
