"""The panels: one widget a file, each useful alone; `studio` composes them."""
