"""The events of sessions and messages that the trail keeps, from log lines and from traces or webhooks."""
