"""The status page's judgement: conditions of the shipped alerts, evaluated on what the exporter holds in memory."""
