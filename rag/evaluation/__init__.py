"""Questions with known answers -> how well they are answered."""
