"""Images written down for others: files, tables, the timeline of an image, storyboards."""
