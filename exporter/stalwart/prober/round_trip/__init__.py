"""A message from submission to mailbox, over SMTP and IMAP with a login of its own."""
