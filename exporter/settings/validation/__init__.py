"""What the settings must fulfil together, and which of them are risky."""
