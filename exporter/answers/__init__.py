"""Answers to "what happened to this message": from the trail and the queue to sentences that an operator can act on."""
