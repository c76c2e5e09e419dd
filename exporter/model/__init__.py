"""What a mail server is to us, free of wire names and of Prometheus."""
