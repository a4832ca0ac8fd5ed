"""The client: `Wonda`, `AsyncWonda`, and the functions that choose or need one."""
