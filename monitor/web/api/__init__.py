"""What programs read: the same numbers as the pages, as JSON, with a description in OpenAPI."""
