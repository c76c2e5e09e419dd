"""What both generations share."""
