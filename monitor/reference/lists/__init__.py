"""Screening lists: files of several formats to listed parties, what being on a list means, the last good version kept.

One stateless file a format turns bytes into entries; `files` finds the format and gives each entry the sources that
`config/lists/effects.yaml` knows; `versions` judges a new version against the one before; `shelf` keeps that one.
"""
