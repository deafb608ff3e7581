"""What the user takes away: plain source, weights, ONNX and `torch.export` files, each compared with the model."""
