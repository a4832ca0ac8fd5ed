"""The panels: one widget per file. Each can be used separately; `studio` combines them."""
