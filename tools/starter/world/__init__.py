"""A small world of toy figures: scenes as JSON, captions, and a renderer."""
