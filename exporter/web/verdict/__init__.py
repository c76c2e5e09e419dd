"""The verdict of the pages: the conditions of the shipped alerts, evaluated on the exporter's state."""
