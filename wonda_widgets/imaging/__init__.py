"""Images from outside: opened with bounds, made small for the wire, kept as they came."""
