"""Many variations of a prompt: plan, price and generate each image once, and resume plans."""
