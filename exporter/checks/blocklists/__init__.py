"""Blocklists in DNS: whether they have the addresses that mail is sent from."""
