"""Many variations of a prompt: plan them, check their price, make each once, resume the rest."""
