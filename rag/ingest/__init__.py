"""A stranger's file -> a document with its text -> passages."""
