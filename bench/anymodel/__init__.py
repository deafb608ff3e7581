"""What `bench/autospace.py` asks of a model of a zoo: loading, trying sub-networks, a peer, the table."""
