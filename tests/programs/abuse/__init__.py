"""The floods of one member: what they cause on this machine, and what that costs a day."""
