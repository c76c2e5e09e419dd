"""Checks that ask others than Stalwart: DNS resolvers, policy hosts and mail hosts."""
