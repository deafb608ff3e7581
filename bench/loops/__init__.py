"""Training loops side by side on the same candidates: ours, a plain one, Lightning's, and one tuned by hand."""
