"""HTTP with the API and the image storage: connections, retries, limits, safe downloads."""
