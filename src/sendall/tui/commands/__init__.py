"""What can be typed after a slash: the table, and what each command does."""
