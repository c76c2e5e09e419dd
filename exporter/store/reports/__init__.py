"""The history of received DMARC, TLS-RPT and ARF reports."""
