"""From state to metric families: what is declared, what is collected, and the bytes that a scrape copies."""
