"""Bytes to observations or rejections: the edge, where pydantic lives and nothing is believed yet."""
