"""The extractive reader: a small trained network, the spans that it finds, and the quotes made of them."""
