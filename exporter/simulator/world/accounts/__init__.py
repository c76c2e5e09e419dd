"""Who may log in, with what, and what happens to those who may not."""
