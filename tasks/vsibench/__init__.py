"""VSI-Bench: questions about the space shown in a video of a room."""
