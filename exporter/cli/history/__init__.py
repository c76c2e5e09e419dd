"""What the commands on the history file share: options, tables, texts and exports."""
