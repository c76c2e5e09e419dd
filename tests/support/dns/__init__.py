"""A DNS server for tests, with zones that can be changed and answers that can go wrong."""
