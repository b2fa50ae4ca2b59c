"""Pictures as SVG: pure functions from plain numbers to the text of a file.

Here: shapes, axes and the pictures made of them; the same input gives the same text. Not here: what is true, and who
writes the file.
"""
