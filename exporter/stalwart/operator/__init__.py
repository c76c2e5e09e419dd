"""Queue control: its own closed table of requests, and a procedure that reads every effect back."""
