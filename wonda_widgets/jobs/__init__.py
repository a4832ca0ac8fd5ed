"""The life of a request that takes effect: submitted once, followed by polling, ended once."""
