"""What is counted already: runs of posted events, and outcomes that two sources report."""
