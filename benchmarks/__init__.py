"""article-chat beside what a user would assemble: same articles, questions, weights, threads and machine, one run."""
