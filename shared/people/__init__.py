"""The operations on people: invitations, joining, and changes of users."""
