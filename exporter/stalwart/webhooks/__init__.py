"""Events that a server posts to us: the signature of a post, and the events in its body."""
