"""What a network really gets: predictions on a data set, exact totals, and a receipt of both."""
