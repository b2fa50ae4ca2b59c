"""Who on a list somebody may be: names, identifiers and addresses compared, with a score and what it is made of.

Here: names in one form, an index of a list, scores, hits, and whom a change of a list touches; the same lists and
the same question give the same hits. Not here: how list files are read, what being on one means, who decides.
"""
