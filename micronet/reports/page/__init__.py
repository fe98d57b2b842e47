"""``report.html``: one page with everything in it, that asks no network for anything."""
