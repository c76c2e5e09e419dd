"""Events, counters, logs, traces and stored metrics, as the server writes them."""
