"""SPF (RFC 7208): syntax, macros, limits and evaluation."""
