"""The posts of webhooks: bodies that are not yet counted, and what recognises a repetition."""
