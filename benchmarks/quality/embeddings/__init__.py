"""Quality of embeddings: streams of several machines, probes on later rows, peers beside ours."""
