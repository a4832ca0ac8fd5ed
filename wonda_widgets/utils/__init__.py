"""What several packages need and none owns: the event loop, clocks, files, text."""
