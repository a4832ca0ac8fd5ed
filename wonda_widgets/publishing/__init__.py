"""Publishing to Instagram: checks before a post, no duplicates, and the outcome of a lost one."""
