"""The models that come from elsewhere: which are known, where they lie, and how they are fetched."""
