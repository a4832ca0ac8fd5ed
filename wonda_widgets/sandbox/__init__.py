"""A Wonda of our own: the same HTTP, placeholder images, nothing published.

It stands beside the package, not in it: the package reaches it over HTTP only,
either inside the process or on a socket.

- `catalog`: the models, their parameters and prices
- `state`: jobs, media, posts and the purse, as they change with time
- `validation`: what the service refuses, and in which words
- `app`: the endpoints
- `storage`: the second origin, where images are
- `post_page`, `local_pages`: what a simulated post links to
- `faults`: replies that go wrong on demand, for tests
- `stock_images`, `stock`: the placeholder images
- `in_process`: all of it within this process
- `server`: all of it on a socket
"""
