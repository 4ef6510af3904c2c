"""How the reader's weights were made: question files -> examples -> training -> calibration -> weights."""
