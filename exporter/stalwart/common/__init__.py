"""Parts shared by both generations."""
