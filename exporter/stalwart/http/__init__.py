"""HTTP to one server: what may be asked, how often, with which credentials, and what the responses mean."""
