"""gnas: neural architecture search for people whose expertise is a science."""

__version__ = "0.1.0"
