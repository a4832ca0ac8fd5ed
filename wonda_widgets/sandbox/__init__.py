"""A local simulation of the Wonda API: placeholder images, and nothing is published.

The rest of the package uses it only over HTTP, either within the process or on a socket.

- `app`: the endpoints; `response_bodies`: their JSON
- `state`: jobs, media, posts and the balance
- `validation`: the errors for invalid requests
- `catalog`: the models, their parameters and prices
- `storage`: the storage host, which serves the images
- `post_page`, `local_pages`: the page to which a simulated post links
- `faults`: simulated errors, for tests
- `stock_images`, `stock`: the placeholder images; `image_tools`: models that process an image
- `in_process`: a sandbox within this process
- `server`: a sandbox on a socket; `hosts`: the host names that it accepts
"""
