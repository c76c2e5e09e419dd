"""What is shown of a server: on the overview, and in full on a page of its own."""
