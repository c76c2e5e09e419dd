"""From the client to the board: pollers, and the arithmetic that counts everything once."""
