"""Heavy models behind protocols: what embeds, what reads, what writes."""
