"""A file that is more than text -> running text, as a program of its own: files come from strangers, so no other code
runs beside it.

`sandbox.py` starts this folder; nothing in it imports anything else of the project.
"""
