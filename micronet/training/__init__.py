"""Training: wirings that are discovered, by a card's recipe. Importing this imports no torch."""
