"""The resources of a client, one a file: images, media, publish, jobs, and so on."""
