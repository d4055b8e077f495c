"""The pieces of the generator: names, a world of facts, sentence templates, and documents made of them."""
