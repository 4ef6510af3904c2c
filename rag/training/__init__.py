"""How the weights were made: question files and lessons -> examples -> training -> calibration -> weights."""
