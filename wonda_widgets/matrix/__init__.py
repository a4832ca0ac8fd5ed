"""Many variations of a prompt: planned, priced, and each made once."""
