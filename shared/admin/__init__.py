"""What admins edit by hand: reviews of their edits, claims of their users, sessions that they deleted."""
