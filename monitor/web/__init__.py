"""What people and machines ask over HTTP: metrics and health today, on a loopback port.

Here: the pages and what they say. Not here: what is true; that is asked of functions given to the server.
"""
