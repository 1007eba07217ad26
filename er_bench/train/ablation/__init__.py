"""Which start of a VLM helps a robot policy: the same recipe from several, compared in pairs."""
