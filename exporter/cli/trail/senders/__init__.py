"""The command ``senders``: who sends how much, and who sends unusually."""
