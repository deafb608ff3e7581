"""The imaging domain of gnas: medical images in two and three dimensions."""
