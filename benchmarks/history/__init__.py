"""What the history costs: reports and the trail."""
