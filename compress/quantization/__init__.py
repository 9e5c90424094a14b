"""INT8 for the folded program: what is quantised, calibration, the scan of layers, quantisation-aware finetuning."""
