"""What domains share about data: tables of text, parts and their splits, scalers, metrics, tree learners."""
