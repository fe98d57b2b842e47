"""Word-level perplexity of a language model on a text, as the challenge's WikiText-103 track has it."""
