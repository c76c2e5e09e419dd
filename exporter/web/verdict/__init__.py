"""The status page's verdict: the conditions of the shipped alerts, evaluated on the exporter's state."""
