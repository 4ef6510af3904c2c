"""The page in the browser: a Gradio chat on the left, the article that it is about on the right."""
