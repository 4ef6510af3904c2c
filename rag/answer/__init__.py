"""A question -> an answer whose every statement is cited."""
