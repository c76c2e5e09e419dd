"""What commands and pages on the history share: filters given as text, answers, shapes, exports and formats."""
