"""Training records, what a pass over them holds, and the batches they make."""
