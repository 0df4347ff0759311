"""What remembers: Firestore documents, and the protocol that changes them safely. Nothing else."""
