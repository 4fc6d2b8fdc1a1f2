"""What is published, served: the page, an API, and who may see what."""
