"""Images to learn from: opened, held in memory or read ahead, drawn in order, augmented, in batches."""
