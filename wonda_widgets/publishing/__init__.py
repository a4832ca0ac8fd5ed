"""Publishing to Instagram: preflight checks, duplicate prevention, and outcome checks."""
