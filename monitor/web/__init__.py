"""What people and machines ask over HTTP: metrics and health, and the console, each on a port of its own.

Here: the pages and what they say, who may see them, what guards every request. Not here: what is true; that is asked of
what is given to the servers. Begin with `visit.py`, which every page has as its argument, and `console.py`.
"""
