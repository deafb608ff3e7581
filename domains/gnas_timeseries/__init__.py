"""The domain of time series: sensors, signals, recordings cut into windows."""
