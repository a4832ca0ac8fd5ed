"""Export images to files: tables, folders, and storyboards of their timelines."""
