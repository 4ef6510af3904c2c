"""Passages -> a folder that can be searched: indexes, collections, and the private shelves of visitors."""
