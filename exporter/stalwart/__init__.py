"""The client: everything that knows what a Stalwart server says on the wire, and nothing else does."""
